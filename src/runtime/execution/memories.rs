//! The memories of a runtime's devices, in which buffers keep windows from launch to launch.

use std::sync::{Arc, Mutex, PoisonError};

use crate::device::Device;
use crate::memory::DeviceMemory;

/// The memories of a runtime's devices.
#[derive(Debug, Default)]
pub(crate) struct Memories {
    all: Mutex<Vec<Arc<DeviceMemory>>>,
}

impl Memories {
    /// The memory of a device, if it has a store.
    pub(super) fn of(&self, device: &Arc<dyn Device>) -> Option<Arc<DeviceMemory>> {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.iter().find(|memory| memory.is_of(device)) {
            return Some(Arc::clone(known));
        }
        let new = DeviceMemory::of(device)?;
        // Drops memories without a window: a device that was opened again has a new one.
        all.retain(|memory| Arc::strong_count(memory) > 1);
        all.push(Arc::clone(&new));
        Some(new)
    }
}

#[cfg(all(test, feature = "gpu"))]
impl Memories {
    /// The bytes of all windows.
    pub(crate) fn used(&self) -> u64 {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|memory| memory.used()).sum()
    }
}
