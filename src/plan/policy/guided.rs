//! The policy *guided*, in its usual form for unequal devices: a run is a fixed part of the
//! remaining bands, weighted by the speeds known before the launch.

/// A run is the device's share of the remaining bands, divided by this.
const DIVISOR: f64 = 2.0;

/// `share` is the device's part of the summed speed of all devices.
pub(super) fn size(left: u32, share: f64) -> u32 {
    ((f64::from(left) * share / DIVISOR) as u32).max(1)
}
