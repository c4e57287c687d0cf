//! The policy *dynamic*: a device that is free takes a run of a fixed size. It needs no speeds. The
//! price: small runs cost overhead, and large ones leave devices idle at the end.

/// Runs per device, if all devices were equally fast.
const RUNS: usize = 16;

pub(super) fn size(bands: u32, devices: usize) -> u32 {
    (bands as usize / (devices.max(1) * RUNS)).max(1) as u32
}
