//! Kept measurements: their keys, and how a new measurement changes a kept one.

use std::hash::Hasher;

use crate::device::DeviceInfo;
use crate::kernel::Kernel;

/// The largest factor by which one measurement changes a known rate.
const STEP: f64 = 3.0;
/// The least weight of a new measurement.
const WEIGHT: f64 = 0.3;
/// The factor of a roofline after a launch that showed less.
const FADE: f64 = 0.9;
/// A roofline from hearsay is at most this many times the rate that a launch shows.
const MOST_UNUSED: f64 = 64.0;

/// The key of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kernel: u64,
    pub(super) device: u64,
    /// The logarithm of the launch's workgroups.
    pub(super) class: u8,
}

/// The kernel in keys of rooflines, which have no kernel; their `class` is the bound.
pub(super) const ANY_KERNEL: u64 = 0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Known {
    pub(super) rate: f64,
    /// The number of measurements; 0 if only `idle` is known.
    pub(super) samples: u32,
    /// Seconds of launches without the device since it was last measured or tried.
    pub(super) idle: f64,
    /// Whether this runtime measured it.
    pub(super) own: bool,
}

impl Known {
    pub(super) const NOTHING: Known = Known { rate: 1.0, samples: 0, idle: 0.0, own: false };

    /// Adds a measurement. An outlier counts only up to a limit, except that it replaces hearsay.
    pub(super) fn add(&mut self, rate: f64) {
        let contradicts = !(1.0 / STEP..=STEP).contains(&(rate / self.rate));
        if self.samples == 0 || !self.own && contradicts {
            *self = Known { rate, samples: 0, ..*self };
        }
        (self.own, self.idle) = (true, 0.0);
        let weight = (1.0 / f64::from(self.samples.saturating_add(1))).max(WEIGHT);
        let step = (rate / self.rate).ln().clamp(-STEP.ln(), STEP.ln());
        self.rate *= (weight * step).exp();
        self.samples = self.samples.saturating_add(1);
    }

    /// Adds the rate of a launch to a roofline. `full`: the launch had enough work for the whole
    /// device.
    pub(super) fn show(&mut self, rate: f64, full: bool) {
        let before = match (self.samples, self.own, full) {
            (0, ..) => 0.0,
            (_, false, true) => (FADE * self.rate).min(MOST_UNUSED * rate),
            (_, true, true) => FADE * self.rate,
            (_, _, false) => self.rate,
        };
        let samples = self.samples.saturating_add(1);
        *self = Known { rate: rate.max(before), samples, idle: 0.0, own: true };
    }
}

/// FNV-1a, which is the same on every machine and in every version.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }
}

fn hash(parts: &[&str]) -> u64 {
    let mut fnv = Fnv(0xcbf2_9ce4_8422_2325);
    for part in parts {
        fnv.write(part.as_bytes());
        fnv.write(&[0]);
    }
    fnv.finish().max(1)
}

/// The hash of a kernel's text, entry point and constants.
pub(super) fn kernel_hash(kernel: &Kernel) -> u64 {
    let signature = kernel.signature();
    let constants = format!("{:?} {:?}", signature.constants, signature.workgroup_size);
    hash(&[kernel.text(), &signature.entry_point, &constants])
}

/// The hash of a device and its driver, which for the CPU is the compiler.
pub(super) fn device_hash(info: &DeviceInfo) -> u64 {
    hash(&[&info.id, &info.name, &info.driver])
}

/// The size class of a launch.
pub(super) fn class(workgroups: f64) -> u8 {
    workgroups.max(1.0).log2() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_kernel_is_the_same_in_every_run() {
        let text = "@compute @workgroup_size(1) fn main() {}";
        let kernel = |text: &str| kernel_hash(&Kernel::from_wgsl(text).unwrap());
        assert_eq!(kernel(text), kernel(text));
        assert_ne!(kernel(text), kernel(&text.replace("main", "other")));
        assert_eq!(hash(&["a", "b"]), 0xab40_d782_0d40_8076);
    }
}
