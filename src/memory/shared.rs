//! The state that the clones of a buffer share: the host's memory, the gate, and the residency.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::allocation::Allocation;
use super::device_memory::{DeviceMemory, HostSide, Meter};
use super::gate::{Gate, Pass, queue_all};
use super::pins::Left;
use super::residency::Residency;
use crate::analysis::Version;
use crate::device::HostBytes;
use crate::error::{Error, Result};

/// The state that the clones of a buffer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) gate: Arc<Gate>,
    /// Holds copies on devices; dropped before the host's memory.
    pub(super) residency: Mutex<Residency>,
    pub(super) memory: Option<Allocation>,
    pub(super) bytes: u64,
    /// The version of the contents; each pass to write starts a new one.
    pub(super) version: Mutex<Arc<Version>>,
    /// The name of the binding and the cause, after a launch failed while writing.
    poison: Mutex<Option<(String, String)>>,
}

impl Shared {
    pub(super) fn new(bytes: u64) -> Arc<Shared> {
        Shared::of(bytes, Allocation::zeroed(bytes))
    }

    pub(super) fn of(bytes: u64, memory: Option<Allocation>) -> Arc<Shared> {
        let poison = memory.is_none().then(|| {
            (
                "(new)".to_owned(),
                format!(
                    "the host has no {bytes} bytes of memory left for it; use a smaller buffer"
                ),
            )
        });
        Arc::new(Shared {
            gate: Arc::default(),
            residency: Mutex::new(Residency::new(bytes)),
            memory,
            bytes,
            version: Mutex::new(Version::new()),
            poison: Mutex::new(poison),
        })
    }

    /// Starts a new version of the contents. Called by the holder of a granted pass before it writes.
    pub(super) fn changes(&self) {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = Version::new();
    }

    pub(super) fn set_poison(&self, poison: Option<(String, String)>) {
        if self.memory.is_some() {
            *self.poison.lock().unwrap_or_else(PoisonError::into_inner) = poison;
        }
    }

    pub(super) fn check_memory(&self) -> Result<()> {
        if self.memory.is_some() { Ok(()) } else { self.check_poison() }
    }

    /// The host's memory, unless a pin needs it to stay.
    pub(super) fn take_memory(&mut self) -> Option<Allocation> {
        let pinned = self.residency.get_mut().unwrap_or_else(PoisonError::into_inner).is_pinned();
        if pinned { None } else { self.memory.take() }
    }

    pub(super) fn check_poison(&self) -> Result<()> {
        match &*self.poison.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some((name, cause)) => {
                Err(Error::Poisoned { name: name.clone(), cause: cause.clone() })
            }
        }
    }

    /// The bytes, for the holder of a granted pass.
    ///
    /// # Safety
    /// As for `Allocation::view`: the caller has a granted pass, and keeps it and this `Shared`
    /// as long as the view.
    pub(super) unsafe fn view<'a>(&self) -> HostBytes<'a> {
        match &self.memory {
            // SAFETY: the caller keeps the promise.
            Some(memory) => unsafe { memory.view() },
            None => HostBytes::empty(),
        }
    }

    pub(super) fn with<R>(
        &self,
        write: bool,
        body: impl FnOnce(HostBytes<'_>) -> Result<R>,
    ) -> Result<R> {
        self.granted(self.queue(write), write, body)
    }

    /// Queues for a pass of this buffer's gate.
    pub(super) fn queue(&self, write: bool) -> Vec<Pass> {
        queue_all(std::iter::once((Arc::clone(&self.gate), write)))
    }

    /// Waits for a pass of [`Shared::queue`], and lends the bytes while it holds the pass.
    pub(super) fn granted<R>(
        &self,
        passes: Vec<Pass>,
        write: bool,
        body: impl FnOnce(HostBytes<'_>) -> Result<R>,
    ) -> Result<R> {
        passes.iter().for_each(Pass::wait);
        if write {
            self.changes();
        }
        // SAFETY: the pass is granted and outlives the view, which `body` cannot keep.
        body(unsafe { self.view() })
    }

    pub(super) fn residency(&self) -> MutexGuard<'_, Residency> {
        self.residency.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the host have all of a range, for the holder of a granted pass. Lost bytes stay lost if they can't
    /// be computed again at this time: a later call may find another device.
    pub(super) fn fetch(&self, range: &Range<u64>, meter: Meter<'_>) -> Result<()> {
        let mut residency = self.residency();
        if residency.on_host(range) {
            return Ok(());
        }
        // SAFETY: the caller has a granted pass and keeps the `Shared`; the view ends here.
        residency.fetch(range, unsafe { self.view() }, meter)
    }

    /// Prepares that the holder of a granted pass overwrites a range in the host's memory.
    pub(super) fn host_writes(&self, range: &Range<u64>) -> Result<()> {
        // Devices hold whole words.
        let words = range.start / 4 * 4..range.end.next_multiple_of(4).min(self.bytes);
        if words != *range {
            self.fetch(&words, &|_, _| {})?;
        }
        self.residency().host_writes(&words);
        self.preserve(&words);
        Ok(())
    }

    /// Prepares the log for a write of a range in the host's memory by the holder of a granted pass.
    pub(super) fn preserve(&self, range: &Range<u64>) {
        let short = self.residency().short_of_room(range);
        if let Some(log) = short {
            // Results that follow from it are fetched to the host, and do not need it any longer.
            log.relieve();
        }
        // SAFETY: the caller has a granted pass and keeps the `Shared`; the view ends here.
        let host = unsafe { self.view() };
        self.residency().preserve(range, host, false);
    }

    /// Forgets how to repeat a range that the host has.
    pub(super) fn read_by_host(&self, range: &Range<u64>) {
        let mut residency = self.residency();
        let log = residency.origins.log();
        residency.origins.clear(range);
        drop(residency);
        // Older contents of the host's memory may have been saved for these results.
        if let Some(log) = log.filter(|log| log.is_nearly_full()) {
            log.relieve();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let pins = |shared: &mut Shared| {
            shared.residency.get_mut().unwrap_or_else(PoisonError::into_inner).take_pins()
        };
        let pins = pins(self);
        let Some(log) = pins.first().map(|pin| Arc::clone(pin.log())) else { return };
        if !log.has_room(self.bytes) {
            // Results that follow from it are fetched to the host, and do not need it any longer.
            log.relieve();
        }
        let wanted = pins.iter().any(|pin| Arc::strong_count(pin) > 1);
        let memory = self.memory.take().filter(|_| wanted);
        let left = memory.and_then(|memory| Left::new(memory, self.bytes, &log));
        pins.iter().for_each(|pin| pin.inherit(left.as_ref()));
    }
}

impl HostSide for Shared {
    unsafe fn view<'a>(&self) -> HostBytes<'a> {
        // SAFETY: the caller keeps the promise.
        unsafe { Shared::view(self) }
    }

    fn evict(&self, memory: &DeviceMemory, meter: Meter<'_>) {
        // Only a buffer without a pass can be evicted. Buffers of the running launch have one.
        let Some(_pass) = self.gate.try_write() else { return };
        // SAFETY: the pass is granted, and dropped after the view.
        let host = unsafe { Shared::view(self) };
        let mut residency = self.residency();
        if let Some(number) = residency.number(memory) {
            // If the fetch fails, the device has failed, and the next reader gets the error.
            let _ = residency.spill(number, host, meter);
        }
    }

    fn fetch_unused(&self) -> bool {
        let Some(_pass) = self.gate.try_write() else { return false };
        // SAFETY: the pass is granted, and dropped after the view.
        let host = unsafe { Shared::view(self) };
        // If this fails, the next reader gets the error.
        self.residency().checkpoint(&(0..self.bytes), host, &|_, _| {}).is_ok()
    }
}
