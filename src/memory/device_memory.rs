//! The memory of a device that can keep things, and which buffers have windows in it.
//!
//! Windows take at most three quarters of it together. Room for another is made by giving up those of
//! buffers that nobody uses, the one that was used longest ago first; what only such a window has comes
//! to the host before. What is in a window is `residency`'s.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::device::{Device, HostBytes, Store};
use crate::error::{Error, Result};

/// The memory of one device, and which buffers have windows in it.
pub(crate) struct DeviceMemory {
    device: Arc<dyn Device>,
    /// Bytes that windows may take together.
    limit: u64,
    used: AtomicU64,
    /// The one that was used last at the end.
    buffers: Mutex<Vec<Weak<dyn HostSide>>>,
}

/// The host's side of a buffer, as device memories and logs see it.
pub(super) trait HostSide: fmt::Debug + Send + Sync {
    /// The host's bytes.
    ///
    /// # Safety
    /// The caller keeps the buffer as long as the view, and nobody writes the bytes that it reads meanwhile.
    unsafe fn view<'a>(&self) -> HostBytes<'a>;

    /// Gives up the window of a device, unless somebody uses the buffer. What only the window has comes to the host before.
    fn evict(&self, memory: &DeviceMemory, meter: Meter<'_>);

    /// Brings to the host what only devices have. False if somebody uses the buffer, or if that failed.
    fn fetch_unused(&self) -> bool;
}

/// Bytes that moved to or from a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    Up(u64),
    Down(u64),
}

/// Hears of everything that moves.
pub(crate) type Meter<'a> = &'a dyn Fn(&DeviceMemory, Moved);

impl fmt::Debug for DeviceMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceMemory")
            .field("device", &self.device.info().id)
            .finish_non_exhaustive()
    }
}

impl DeviceMemory {
    /// The memory of a device that can keep things; nothing for another.
    pub(crate) fn of(device: &Arc<dyn Device>) -> Option<Arc<DeviceMemory>> {
        device.store()?;
        Some(Arc::new(DeviceMemory {
            // The rest is the pool's, for what lies unused and for rounding up.
            limit: device.info().limits.memory / 4 * 3,
            device: Arc::clone(device),
            used: AtomicU64::new(0),
            buffers: Mutex::default(),
        }))
    }

    /// Whether this is that device's.
    pub(crate) fn is_of(&self, device: &Arc<dyn Device>) -> bool {
        Arc::ptr_eq(&self.device, device)
    }

    /// Whether windows of so many bytes can be there at once.
    pub(crate) fn could_hold(&self, bytes: u64) -> bool {
        bytes <= self.limit
    }

    /// Bytes of its windows.
    #[cfg(all(test, feature = "gpu"))]
    pub(crate) fn used(&self) -> u64 {
        self.used.load(Relaxed)
    }

    /// A window takes so many bytes.
    pub(super) fn takes(&self, bytes: u64) {
        self.used.fetch_add(bytes, Relaxed);
    }

    /// A window gives back so many bytes.
    pub(super) fn gives(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Relaxed);
    }

    /// Lets go of all windows that nobody uses.
    pub(crate) fn clear(&self, meter: Meter<'_>) {
        self.make_room(self.limit, meter);
    }

    pub(super) fn store(&self) -> Result<&dyn Store> {
        self.device.store().ok_or_else(|| Error::Internal {
            place: "memory".to_owned(),
            cause: format!("{} has lost its store", self.device.info().id),
        })
    }

    /// Makes room for so many bytes beside the windows that are in use; false where there is none.
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
