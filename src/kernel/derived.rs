//! Results that other rooms derive from a kernel and keep exactly as long as it: machine code, an
//! analysis.
//!
//! Clones of a kernel share the results. While one thread makes a result, other threads that want
//! the same one wait for it; different results do not wait for each other. A failure is not kept.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;

/// One result; `None` until it was made.
type Slot = Arc<Mutex<Option<Arc<dyn Any + Send + Sync>>>>;

/// Results by type and variant.
#[derive(Default)]
pub(super) struct Derived {
    slots: Mutex<HashMap<(TypeId, u64), Slot>>,
}

impl Derived {
    pub(super) fn get<T: Any + Send + Sync>(
        &self,
        variant: u64,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry((TypeId::of::<T>(), variant)).or_default())
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = slot.as_ref().and_then(|any| Arc::clone(any).downcast::<T>().ok()) {
            return Ok(made);
        }
        let made = Arc::new(make()?);
        *slot = Some(made.clone());
        Ok(made)
    }
}

#[cfg(test)]
impl Derived {
    /// The number of results that were made or are being made.
    pub(super) fn count(&self) -> usize {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::error::Error;

    #[test]
    fn a_thing_is_made_once_and_a_failure_is_not_kept() {
        let derived = Derived::default();
        let failed = derived.get::<u32>(0, || Err(Error::Cancelled));
        assert!(failed.is_err());
        let made = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let thing = derived.get(0, || Ok(made.fetch_add(1, Ordering::Relaxed) + 7));
                    assert_eq!(*thing.unwrap(), 7u32);
                });
            }
        });
        assert_eq!(*derived.get(1, || Ok(9u32)).unwrap(), 9);
        assert_eq!(*derived.get(1, || Ok(1u64)).unwrap(), 1);
    }
}
