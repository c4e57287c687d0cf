//! The report of a sequence.

use std::fmt;
use std::time::Duration;

use super::device::{DeviceReport, repeated, seconds, table};
use super::failure::FailureEvent;

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
        table(f, &self.devices)?;
        for event in &self.events {
            writeln!(f, "! {event}")?;
        }
        repeated(f, self.repeated)?;
        if let Some(device) = &self.batched {
            writeln!(f, "{device} got all launches at once")?;
        }
        write!(f, "{} launches in {}", self.launches, seconds(self.elapsed))
    }
}
