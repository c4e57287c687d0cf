//! The memory of a device that has a store, and the buffers that have windows in it.
//!
//! Windows take at most three quarters of it together. To make room, the windows of unused buffers are evicted,
//! the least recently used first. Bytes that only such a window holds are first copied to the host. `residency`
//! keeps track of the contents of windows.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::device::{Device, HostBytes, Store};
use crate::error::{Error, Result};

/// The memory of one device, and the buffers that have windows in it.
pub(crate) struct DeviceMemory {
    device: Arc<dyn Device>,
    /// Bytes that windows may take together.
    limit: u64,
    used: AtomicU64,
    /// The most recently used one at the end.
    buffers: Mutex<Vec<Weak<dyn HostSide>>>,
}

/// The host's side of a buffer, as device memories and logs see it.
pub(super) trait HostSide: fmt::Debug + Send + Sync {
    /// The host's bytes.
    ///
    /// # Safety
    /// The caller keeps the buffer as long as the view, and no thread writes the bytes that it reads meanwhile.
    unsafe fn view<'a>(&self) -> HostBytes<'a>;

    /// Evicts the window of a device, unless the buffer is in use. Bytes that only the window holds are first
    /// copied to the host.
    fn evict(&self, memory: &DeviceMemory, meter: Meter<'_>);

    /// Copies to the host the bytes that only devices hold. False if the buffer is in use, or if a copy failed.
    fn fetch_unused(&self) -> bool;
}

/// Bytes that moved to or from a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    Up(u64),
    Down(u64),
}

/// Is called for every transfer.
pub(crate) type Meter<'a> = &'a dyn Fn(&DeviceMemory, Moved);

impl fmt::Debug for DeviceMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceMemory")
            .field("device", &self.device.info().id)
            .finish_non_exhaustive()
    }
}

impl DeviceMemory {
    /// The memory of a device, or `None` if the device has no store.
    pub(crate) fn of(device: &Arc<dyn Device>) -> Option<Arc<DeviceMemory>> {
        device.store()?;
        Some(Arc::new(DeviceMemory {
            // The store's pool needs the rest, for unused blocks and for rounding up.
            limit: device.info().limits.memory / 4 * 3,
            device: Arc::clone(device),
            used: AtomicU64::new(0),
            buffers: Mutex::default(),
        }))
    }

    /// Whether this is the memory of `device`.
    pub(crate) fn is_of(&self, device: &Arc<dyn Device>) -> bool {
        Arc::ptr_eq(&self.device, device)
    }

    /// Whether windows of `bytes` bytes fit at once.
    pub(crate) fn could_hold(&self, bytes: u64) -> bool {
        bytes <= self.limit
    }

    /// Bytes of all windows.
    #[cfg(all(test, feature = "gpu"))]
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// Counts a window of `bytes` bytes.
    pub(super) fn takes(&self, bytes: u64) {
        self.used.fetch_add(bytes, Relaxed);
    }

    /// Uncounts a window of `bytes` bytes.
    pub(super) fn gives(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Relaxed);
    }

    /// Evicts all windows of unused buffers.
    pub(crate) fn clear(&self, meter: Meter<'_>) {
        self.make_room(self.limit, meter);
    }

    pub(super) fn store(&self) -> Result<&dyn Store> {
        self.device.store().ok_or_else(|| Error::Internal {
            place: "memory".to_owned(),
            cause: format!("{} has lost its store", self.device.info().id),
        })
    }

    /// Makes room for `bytes` bytes beside the windows in use; false if there is too little.
    pub(crate) fn make_room(&self, bytes: u64, meter: Meter<'_>) -> bool {
        let fits = || self.used.load(Relaxed).saturating_add(bytes) <= self.limit;
        if fits() {
            return true;
        }
        if bytes > self.limit {
            return false;
        }
        let buffers: Vec<Weak<dyn HostSide>> = self.lock().clone();
        for buffer in buffers {
            let Some(host) = buffer.upgrade() else { continue };
            host.evict(self, meter);
            if fits() {
                return true;
            }
        }
        fits()
    }

    pub(super) fn note_use(&self, buffer: Weak<dyn HostSide>) {
        let mut buffers = self.lock();
        if buffers.last().is_some_and(|last| last.ptr_eq(&buffer)) {
            return;
        }
        buffers.retain(|known| !known.ptr_eq(&buffer) && known.strong_count() > 0);
        buffers.push(buffer);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<dyn HostSide>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
