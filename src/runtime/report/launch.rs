//! The report of a launch: the share and the speed of each device, and the failures.

use std::fmt;
use std::time::Duration;

use super::device::{DeviceReport, repeated, seconds, table};
use super::failure::FailureEvent;
use super::verified::Verified;
use crate::plan::Plan;

/// The report of a finished launch. `Display` is a small table.
#[derive(Debug, Clone)]
pub struct Report {
    /// The time from the granting of the buffers to the last result.
    pub elapsed: Duration,
    /// The number of workgroups in the grid.
    pub workgroups: u64,
    /// One for each device of the runtime, in its order.
    pub devices: Vec<DeviceReport>,
    /// The failures that the launch survived, in order.
    pub events: Vec<FailureEvent>,
    /// The number of chunks of earlier launches that were computed again meanwhile because only a lost device
    /// had their results. Repetitions for launches at the same time count, too.
    pub repeated: u64,
    /// The part of the launch that was computed a second time and compared, if
    /// [`Launch::verify`](crate::Launch::verify) asked for it.
    pub verified: Option<Verified>,
    /// The plan: how the launch was split, and why.
    pub plan: Plan,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        table(f, &self.devices)?;
        for device in &self.devices {
            if let Some(why) = &device.left_out {
                writeln!(f, "{} did no work: {why}", device.id)?;
            }
            if device.taken_over > 0 {
                writeln!(
                    f,
                    "{} computed {} late chunk{} of other devices",
                    device.id,
                    device.taken_over,
                    if device.taken_over == 1 { "" } else { "s" }
                )?;
            }
        }
        for event in &self.events {
            writeln!(f, "! {event}")?;
        }
        for warning in self.plan.warnings() {
            writeln!(f, "! {warning}")?;
        }
        repeated(f, self.repeated)?;
        for sentence in self.plan.without_effect() {
            writeln!(f, "{sentence}")?;
        }
        if let Some(verified) = &self.verified {
            writeln!(f, "{verified}")?;
        }
        let plural = if self.workgroups == 1 { "" } else { "s" };
        write!(f, "{} workgroup{plural} in {}", self.workgroups, seconds(self.elapsed))
    }
}
