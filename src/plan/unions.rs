//! A cache of the footprints of runs. A repeated launch needs the same few runs each time, and each device
//! needs the footprint of a binding several times. Clones of a plan share the cache. Its entries follow
//! from the plan's bands, which never change, so they are never stale.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::analysis::Footprint;

/// The most footprints in the cache. A full cache is cleared, so launches with ever new runs do not
/// fill memory.
const KEPT: usize = 64;

/// The least bands of a run that is cached. Shorter ones are computed as fast as they are looked up.
const WORTH: u32 = 4;

/// By beginning and end of the run, and binding.
type Found = HashMap<(u32, u32, usize), Footprint>;

#[derive(Debug, Clone, Default)]
pub(super) struct Unions {
    found: Arc<Mutex<Found>>,
}

impl Unions {
    /// The footprint of a run in a binding: from the cache, or else from `make`.
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
