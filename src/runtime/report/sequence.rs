//! The report of a sequence.

use std::fmt;
use std::time::Duration;

use super::device::{DeviceReport, repeated, seconds, table};
use super::failure::FailureEvent;

/// The report of a finished sequence. `Display` is a small table.
#[derive(Debug, Clone)]
pub struct SequenceReport {
    /// The time from the granting of the buffers to the end.
    pub elapsed: Duration,
    /// The number of launches that ran, repetitions included.
    pub launches: u64,
    /// One for each device of the runtime, in its order: the sums over all launches.
    pub devices: Vec<DeviceReport>,
    /// The failures that the launches survived, in order.
    pub events: Vec<FailureEvent>,
    /// The number of chunks of earlier launches, also of this sequence, that were computed again meanwhile
    /// because only a lost device had their results. Repetitions for launches at the same time count, too.
    pub repeated: u64,
    /// The device that ran all launches without a wait between them, if one did.
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
            writeln!(f, "{device} ran all launches without a wait between them")?;
        }
        write!(f, "{} launches in {}", self.launches, seconds(self.elapsed))
    }
}
