//! What the policy knows of one device during a launch.

use super::pace::Pace;

/// What is known of a device.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) takes_part: bool,
    pub(super) pace: Pace,
    /// Its part of all speeds, before the launch.
    pub(super) share: f64,
    pub(super) overhead: f64,
    /// When it has done what it has.
    pub(super) free: f64,
    pub(super) flying: u32,
    /// Of these, those that nobody needs.
    pub(super) void: u32,
    /// What it adds to `Policy::resting`.
    pub(super) resting: f64,
    /// How long a band would have taken, and how long all the rest, when it was last refused.
    pub(super) refused: Option<(f64, f64)>,
    /// Whether the device is tried, and how many bands it may still get for that.
    pub(super) tried: bool,
    pub(super) trials: u32,
}

/// Bands for a device that is tried, until one is measured: a driver may compile for the first
/// band.
pub(super) const TRIALS: u32 = 2;

impl Device {
    /// Whether it can be counted on. One that is stuck with something void can't.
    pub(super) fn is_able(&self) -> bool {
        self.takes_part && self.void == 0
    }
}
