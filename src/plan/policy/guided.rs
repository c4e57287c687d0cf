//! The policy *guided*, as others have it for unequal devices: a run is a fixed part of what is
//! left, weighted by what is known of speeds before the launch.

/// What is left is divided by this, beyond the device's weight.
const DIVISOR: f64 = 2.0;

/// `share` is the device's part of the speed of all.
pub(super) fn size(left: u32, share: f64) -> u32 {
    ((f64::from(left) * share / DIVISOR) as u32).max(1)
}
