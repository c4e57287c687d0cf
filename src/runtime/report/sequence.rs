//! The report of a sequence: the sums over its launches.

use std::fmt;
use std::time::Duration;

use super::events::FailureEvent;
use super::launch::{self as report, DeviceReport};

/// The account of a sequence that has run. `Display` is a small table.
#[derive(Debug, Clone)]
pub struct SequenceReport {
    /// From the granting of the buffers to the end.
    pub elapsed: Duration,
    /// Launches that were run, each as often as it was.
    pub launches: u64,
    /// One for each device of the runtime, in its order: the sums over all launches.
    pub devices: Vec<DeviceReport>,
    /// Failures that the launches survived, in the order in which they were met.
    pub events: Vec<FailureEvent>,
    /// Chunks of earlier launches, of this sequence's own too, that were computed once more in its
    /// course, since only a lost device had their results. Launches at the same time count, too.
    pub repeated: u64,
    /// The device that got all launches at once, without a wait between them, if one did.
    pub batched: Option<String>,
}

impl fmt::Display for SequenceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        report::table(f, &self.devices)?;
        for event in &self.events {
            writeln!(f, "! {event}")?;
        }
        report::repeated(f, self.repeated)?;
        if let Some(device) = &self.batched {
            writeln!(f, "{device} got all launches at once")?;
        }
        write!(f, "{} launches in {}", self.launches, report::seconds(self.elapsed))
    }
}

/// Adds what devices did.
pub(crate) fn add_devices(sum: &mut Vec<DeviceReport>, more: &[DeviceReport]) {
    if sum.is_empty() {
        sum.extend(more.iter().cloned());
        return;
    }
    for (sum, more) in sum.iter_mut().zip(more) {
        sum.engine = sum.engine.or(more.engine);
        sum.fallback = sum.fallback.take().or_else(|| more.fallback.clone());
        sum.chunks = sum.chunks.saturating_add(more.chunks);
        sum.workgroups += more.workgroups;
        sum.busy += more.busy;
        sum.uploaded += more.uploaded;
        sum.downloaded += more.downloaded;
    }
    let all: u64 = sum.iter().map(|device| device.workgroups).sum();
    for device in sum {
        device.share = device.workgroups as f64 / all.max(1) as f64;
    }
}
