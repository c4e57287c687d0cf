//! What runs of bands touch, kept: who repeats a launch asks for the same few runs again and again, and
//! each device several times for each binding. Clones of a plan share what is kept; it follows from the
//! plan's bands, which never change, so it is never wrong.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::analysis::Footprint;

/// Runs and bindings that are kept. A launch whose runs differ each time fills them in vain.
const KEPT: usize = 64;

/// Shorter runs are as soon put together as found.
const WORTH: u32 = 4;

/// By beginning and end of the run, and binding.
type Found = HashMap<(u32, u32, usize), Footprint>;

#[derive(Debug, Clone, Default)]
pub(super) struct Unions {
    found: Arc<Mutex<Found>>,
}

impl Unions {
    /// What a run touches of a binding: found, or made and kept.
    pub(super) fn get(
        &self,
        run: &Range<u32>,
        binding: usize,
        make: impl FnOnce() -> Footprint,
    ) -> Footprint {
        if run.end.saturating_sub(run.start) < WORTH {
            return make();
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (run.start, run.end, binding);
        if let Some(footprint) = found.get(&key) {
            return footprint.clone();
        }
        if found.len() >= KEPT {
            found.clear();
        }
        let made = make();
        found.insert(key, made.clone());
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_of_that_run_and_binding_and_bounded() {
        let unions = Unions::default();
        let of = |run: &Range<u32>, binding: usize| Footprint {
            must_write: u64::from(run.start)..u64::from(run.end) + binding as u64,
            ..Footprint::default()
        };
        for turn in 0..3 {
            for start in 0..100 {
                for (len, binding) in [(1, 0), (4, 0), (9, 0), (9, 1)] {
                    let run = start..start + len;
                    let found = unions.clone().get(&run, binding, || of(&run, binding));
                    assert_eq!(found.must_write, of(&run, binding).must_write, "{turn}");
                }
            }
        }
        assert!(unions.found.lock().unwrap().len() <= KEPT);
        let run = 0..8;
        unions.get(&run, 0, || of(&run, 0));
        unions.get(&run, 0, || panic!("it is kept"));
    }
}
