//! The state of one device during a launch, as the policy sees it.

use super::pace::Pace;

/// The state of one device.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) takes_part: bool,
    pub(super) pace: Pace,
    /// Its part of the summed speed of all devices, as known before the launch.
    pub(super) share: f64,
    pub(super) overhead: f64,
    /// When its tasks in flight are expected to be done.
    pub(super) free: f64,
    /// The number of its tasks in flight.
    pub(super) flying: u32,
    /// The number of its void tasks in flight.
    pub(super) void: u32,
    /// Its contribution to `Policy::resting`.
    pub(super) resting: f64,
    /// When it was last refused: the seconds for one band on it, and for all remaining bands.
    pub(super) refused: Option<(f64, f64)>,
    /// Whether the device is tried, and how many bands it may still get as trials.
    pub(super) tried: bool,
    pub(super) trials: u32,
}

/// The most bands that a device gets as trials until one is measured. The first may not be, since
/// the driver may compile for it.
pub(super) const TRIALS: u32 = 2;

impl Device {
    /// Whether the outlook counts on the device. It does not while the device is busy with void
    /// tasks.
    pub(super) fn is_able(&self) -> bool {
        self.takes_part && self.void == 0
    }
}
