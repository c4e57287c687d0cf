//! What a runtime remembers of kernels: their analysis, and how fast each device ran them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::analysis::Analysis;
use crate::device::DeviceKind;
use crate::kernel::Kernel;
use crate::plan::Speed;

/// Kernels beyond this are forgotten, oldest first; a program has a few dozen.
const KEPT: usize = 256;

#[derive(Default)]
pub(super) struct Memo {
    kernels: Mutex<HashMap<u64, Entry>>,
}

struct Entry {
    analysis: Arc<Analysis>,
    /// Workgroups per second, by device.
    rates: HashMap<usize, f64>,
}

impl Memo {
    pub(super) fn analysis(&self, kernel: &Kernel) -> Arc<Analysis> {
        if let Some(entry) = self.lock().get(&kernel.id()) {
            return Arc::clone(&entry.analysis);
        }
        let found = Arc::new(Analysis::new(kernel));
        let mut kernels = self.lock();
        if kernels.len() >= KEPT
            && let Some(&oldest) = kernels.keys().min()
        {
            kernels.remove(&oldest);
        }
        kernels
            .entry(kernel.id())
            .or_insert_with(|| Entry { analysis: Arc::clone(&found), rates: HashMap::new() });
        found
    }

    /// Bands of `workgroups` workgroups that a device computes in a second.
    pub(super) fn speed(
        &self,
        kernel: &Kernel,
        device: usize,
        kind: DeviceKind,
        workgroups: f64,
    ) -> Speed {
        let known = self.lock().get(&kernel.id()).and_then(|e| e.rates.get(&device).copied());
        known.map_or(Speed::Guess(guess(kind)), |rate| Speed::Measured(rate / workgroups))
    }

    pub(super) fn remember(&self, kernel: &Kernel, device: usize, workgroups_per_second: f64) {
        if let Some(entry) = self.lock().get_mut(&kernel.id()) {
            entry.rates.insert(device, workgroups_per_second);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Entry>> {
        self.kernels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How devices that were not measured yet compare, the CPU being 1. Only the order of magnitude
/// matters: it decides who gets the first bands.
pub(super) fn guess(kind: DeviceKind) -> f64 {
    match kind {
        DeviceKind::DiscreteGpu | DeviceKind::OtherGpu => 100.0,
        DeviceKind::IntegratedGpu => 20.0,
        DeviceKind::Cpu => 1.0,
        // On the same cores, and slower at it.
        DeviceKind::SoftwareGpu => 0.3,
    }
}
