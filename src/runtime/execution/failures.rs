//! What a launch has seen of failures, and what it allows its devices because of them.

use crate::error::{Error, FailureKind};
use crate::plan::Plan;
use crate::runtime::report::{FailureEvent, Remedy};

/// What a launch has seen of failures.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    pub(crate) events: Vec<FailureEvent>,
    /// For each device that is out of the launch, why, in the order in which they left it.
    pub(crate) causes: Vec<String>,
    /// The errors of devices that left the launch because their drivers allow fewer iterations of a
    /// loop than the launch does.
    pub(crate) endless: Vec<Error>,
    /// By device: the most bands of a run, since it had no memory for more.
    pub(crate) most: Vec<Option<u32>>,
    /// By device: whether it gets one chunk at a time.
    pub(crate) one_at_a_time: Vec<bool>,
    /// Every device ran out of memory before anything was done: smaller bands may help.
    pub(crate) memory_alone: bool,
}

impl Failures {
    pub(crate) fn new(devices: usize, events: &[FailureEvent]) -> Failures {
        Failures {
            events: events.to_vec(),
            most: vec![None; devices],
            one_at_a_time: vec![false; devices],
            ..Failures::default()
        }
    }

    /// Adds what a launch, or an attempt at it, has seen until its end.
    pub(crate) fn add(&mut self, attempt: Failures, nothing_done: bool) {
        let short = |event: &FailureEvent| event.kind == FailureKind::OutOfMemory;
        self.memory_alone = nothing_done && attempt.events.iter().any(short);
        self.events.extend(attempt.events);
        self.causes = attempt.causes;
        self.endless = attempt.endless;
    }

    /// The error of a launch without any device left; `unable` has the causes of devices that could
    /// not begin.
    pub(crate) fn no_device_left(&mut self, kernel: &str, mut unable: Vec<String>) -> Error {
        unable.append(&mut self.causes);
        match self.endless.pop() {
            // A loop that ends on no device is the fault of the kernel, and not of the devices.
            Some(error) if self.endless.len() + 1 == unable.len() => error,
            _ => Error::NoDevice { kernel: kernel.to_owned(), causes: unable },
        }
    }

    /// The devices that had no memory get another go, at finer bands.
    pub(crate) fn cut_finer(&mut self, plan: &Plan) {
        let most = u64::try_from(plan.groups(&(0..1)).workgroups()).unwrap_or(u64::MAX);
        for event in &mut self.events {
            if event.kind == FailureKind::OutOfMemory && event.remedy == Remedy::PutAside {
                event.remedy = Remedy::SmallerChunks(most);
            }
        }
    }

    /// The most bands that a device gets at once.
    pub(crate) fn most(&self, device: usize) -> u32 {
        self.most[device].unwrap_or(u32::MAX)
    }

    /// The most runs that a device has in flight.
    pub(crate) fn depth(&self, device: usize, usual: usize) -> usize {
        if self.one_at_a_time[device] { 1 } else { usual }
    }
}
