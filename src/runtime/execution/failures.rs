//! The failures of a launch, and the remedies.
//!
//! A failed chunk has changed nothing in host memory, or can be computed again from it, so it goes back to
//! the queue. The policy decides which device takes it next. The kind of the failure decides what happens to
//! the device:
//!
//! - out of memory: it gets one chunk at a time, then smaller ones, then none in this launch;
//! - rejected, refused: it gets no more chunks of this launch;
//! - anything else: it is quarantined (`fleet`), unless it works in place.
//!
//! A launch that has lost all its devices ends with all the causes, in the order of the failures. An error of
//! the kernel or a cancellation ends a launch at once.

use crate::error::{Error, FailureKind};
use crate::plan::Plan;
use crate::runtime::report::{FailureEvent, Remedy};

/// The failures of a launch so far.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) events: Vec<FailureEvent>,
    /// Why each device that left the launch did so, in the order in which they left.
    pub(super) causes: Vec<String>,
    /// The errors of devices that left the launch because their drivers allow fewer iterations of a
    /// loop than the launch does.
    pub(super) endless: Vec<Error>,
    /// By device: the most bands of a run, if it had no memory for more.
    most: Vec<Option<u32>>,
    /// By device: whether it gets one chunk at a time.
    one_at_a_time: Vec<bool>,
    /// A device ran out of memory, and no chunk was done: finer bands may help.
    pub(super) memory_alone: bool,
}

impl Failures {
    pub(super) fn new(devices: usize, events: &[FailureEvent]) -> Failures {
        Failures {
            events: events.to_vec(),
            most: vec![None; devices],
            one_at_a_time: vec![false; devices],
            ..Failures::default()
        }
    }

    /// Adds the failures of a finished attempt. `nothing_done`: no chunk of it was done.
    pub(super) fn add(&mut self, attempt: Failures, nothing_done: bool) {
        let short = |event: &FailureEvent| event.kind == FailureKind::OutOfMemory;
        self.memory_alone = nothing_done && attempt.events.iter().any(short);
        self.events.extend(attempt.events);
        self.causes = attempt.causes;
        self.endless = attempt.endless;
    }

    /// The error of a launch with no device left. `unable` has the causes of devices that could not begin.
    pub(super) fn no_device_left(&mut self, kernel: &str, mut unable: Vec<String>) -> Error {
        unable.append(&mut self.causes);
        match self.endless.pop() {
            // A loop that is too long for every device is an error of the kernel.
            Some(error) if self.endless.len() + 1 == unable.len() => error,
            _ => Error::NoDevice { kernel: kernel.to_owned(), causes: unable },
        }
    }

    /// Adapts the remedies: devices that ran out of memory take part again, with finer bands.
    pub(super) fn cut_finer(&mut self, plan: &Plan) {
        let most = u64::try_from(plan.groups(&(0..1)).workgroups()).unwrap_or(u64::MAX);
        for event in &mut self.events {
            if event.kind == FailureKind::OutOfMemory && event.remedy == Remedy::PutAside {
                event.remedy = Remedy::SmallerChunks(most);
            }
        }
    }

    /// The most bands of a device's next run.
    pub(super) fn most(&self, device: usize) -> u32 {
        self.most[device].unwrap_or(u32::MAX)
    }

    /// The most runs that a device may have in flight.
    pub(super) fn depth(&self, device: usize, usual: usize) -> usize {
        if self.one_at_a_time[device] { 1 } else { usual }
    }

    /// Decides the remedy for a failed run of `bands` bands on a device with `others` other runs in flight.
    /// `half`: the workgroups of half of the run.
    pub(super) fn remedy(
        &mut self,
        device: usize,
        kind: FailureKind,
        in_place: bool,
        (bands, others): (u32, usize),
        half: impl FnOnce() -> u64,
    ) -> Remedy {
        match kind {
            FailureKind::OutOfMemory if others > 0 => {
                self.one_at_a_time[device] = true;
                Remedy::OneAtATime
            }
            FailureKind::OutOfMemory if bands > 1 => {
                self.most[device] = Some(bands / 2);
                Remedy::SmallerChunks(half())
            }
            kind if kind.quarantines() && !in_place => Remedy::Quarantined,
            _ => Remedy::PutAside,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_short_of_memory_gets_one_chunk_then_smaller_ones_then_none() {
        let mut failures = Failures::new(1, &[]);
        let mut short = |bands, others| {
            let kind = FailureKind::OutOfMemory;
            let remedy = failures.remedy(0, kind, false, (bands, others), || 7);
            (remedy, failures.depth(0, 3), failures.most(0))
        };
        assert_eq!(short(8, 2), (Remedy::OneAtATime, 1, u32::MAX));
        assert_eq!(short(8, 0), (Remedy::SmallerChunks(7), 1, 4));
        assert_eq!(short(1, 0), (Remedy::PutAside, 1, 4));
        let mut lost = |in_place| failures.remedy(0, FailureKind::Panicked, in_place, (8, 0), || 7);
        assert_eq!((lost(false), lost(true)), (Remedy::Quarantined, Remedy::PutAside));
    }
}
