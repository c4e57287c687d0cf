//! The policy *dynamic*: runs of one size, to whoever is free. Needs to know nothing, and pays for
//! it: small runs cost overhead, large ones leave devices idle at the end.

/// Runs per device, if all were equally fast.
const RUNS: usize = 16;

pub(super) fn size(bands: u32, devices: usize) -> u32 {
    (bands as usize / (devices.max(1) * RUNS)).max(1) as u32
}
