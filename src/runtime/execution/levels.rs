//! Runs the launches of a sequence in levels: the launches of a level run at the same time.
//!
//! The level of a launch is one above the highest level that it depends on through a buffer. A level waits
//! for the one before it.

use super::checked::Checked;
use super::execute;
use crate::device::HostBytes;
use crate::error::{Error, Result};
use crate::kernel::Space;
use crate::memory::BufferRange;
use crate::pending::Job;
use crate::runtime::report::Report;

/// A launch of a sequence, and its memory.
pub(crate) struct Step<'a> {
    pub(crate) checked: &'a Checked,
    pub(crate) memory: Vec<HostBytes<'a>>,
}

/// The parts of buffers that a step writes.
pub(crate) fn written<'s>(step: &'s Step<'_>) -> impl Iterator<Item = &'s BufferRange> {
    let bindings = step.checked.kernel.signature().bindings.iter();
    let both = bindings.zip(&step.checked.buffers);
    both.filter(|(binding, _)| binding.space == Space::StorageWrite).filter_map(|(_, b)| b.as_ref())
}

/// Whether a step must wait for an earlier one.
fn depends(later: &Step<'_>, earlier: &Step<'_>) -> bool {
    let meets = |writer: &Step<'_>, other: &Step<'_>| {
        written(writer).any(|part| other.checked.buffers.iter().flatten().any(|b| b.overlaps(part)))
    };
    meets(earlier, later) || meets(later, earlier)
}

/// The numbers of the steps by level. A step depends on earlier levels only.
pub(crate) fn levels(steps: &[Step<'_>]) -> Vec<Vec<usize>> {
    let mut level_of: Vec<usize> = Vec::with_capacity(steps.len());
    let mut levels: Vec<Vec<usize>> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let before = (0..number).filter(|&i| depends(step, &steps[i])).map(|i| level_of[i] + 1);
        let level = before.max().unwrap_or(0);
        level_of.push(level);
        if levels.len() <= level {
            levels.resize(level + 1, Vec::new());
        }
        levels[level].push(number);
    }
    levels
}

/// Runs the steps of a level at the same time.
pub(crate) fn run_level(steps: &[Step<'_>], level: &[usize], job: &Job) -> Vec<Result<Report>> {
    if let [one] = level {
        let step = &steps[*one];
        return vec![execute::run_granted(step.checked, &step.memory, job, None)];
    }
    std::thread::scope(|scope| {
        let running: Vec<_> = level
            .iter()
            .enumerate()
            .map(|(place, &number)| {
                let step = &steps[number];
                let run =
                    move || execute::run_granted(step.checked, &step.memory, job, Some(place));
                scope.spawn(run)
            })
            .collect();
        let ended = running.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| {
                Err(Error::Internal {
                    place: "runtime::sequence".to_owned(),
                    cause: "a launch panicked".to_owned(),
                })
            })
        });
        ended.collect()
    })
}
