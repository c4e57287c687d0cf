//! What the clones of a buffer share: the host's memory, its gate, and the residency.

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

/// What the clones of a buffer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) gate: Arc<Gate>,
    /// Kept on devices too; dropped before the host's memory.
    pub(super) residency: Mutex<Residency>,
    pub(super) memory: Option<Allocation>,
    pub(super) bytes: u64,
    /// What the bytes are between two writes; a new one with each pass to write.
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
            ("(new)".to_owned(), format!("the host has no {bytes} bytes of memory left for it"))
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

    /// The holder of a granted pass to write is about to.
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

    /// The host's memory, if nothing depends on that it stays.
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
            // SAFETY: passed on to the caller.
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

    /// Makes the host have all of a range, for the holder of a granted pass. What is lost stays so
    /// if it can't be computed again now: it may be when another device is there.
    pub(super) fn fetch(&self, range: &Range<u64>, meter: Meter<'_>) -> Result<()> {
        let mut residency = self.residency();
        if residency.on_host(range) {
            return Ok(());
        }
        // SAFETY: the caller has a granted pass and keeps the `Shared`; the view ends here.
        residency.fetch(range, unsafe { self.view() }, meter)
    }

    /// A range is overwritten by the host, whose holder of a granted pass is about to.
    pub(super) fn host_writes(&self, range: &Range<u64>) -> Result<()> {
        // Devices have whole words.
        let words = range.start / 4 * 4..range.end.next_multiple_of(4).min(self.bytes);
        if words != *range {
            self.fetch(&words, &|_, _| {})?;
        }
        self.residency().host_writes(&words);
        self.preserve(&words);
        Ok(())
    }

    /// The host's memory of a range is about to be written by the holder of a granted pass.
    pub(super) fn preserve(&self, range: &Range<u64>) {
        let short = self.residency().short_of_room(range);
        if let Some(log) = short {
            // What others have made of it comes to the host, and needs it no more.
            log.relieve();
        }
        // SAFETY: the caller has a granted pass and keeps the `Shared`; the view ends here.
        let host = unsafe { self.view() };
        self.residency().preserve(range, host, false);
    }

    /// What the host has of a range need not be computed again.
    pub(super) fn read_by_host(&self, range: &Range<u64>) {
        let mut residency = self.residency();
        let log = residency.origins.log();
        residency.origins.clear(range);
        drop(residency);
        // What the host's memory held before may have been saved for others.
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
            // What was made of it comes to the host, and needs it no more.
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
        // SAFETY: passed on to the caller.
        unsafe { Shared::view(self) }
    }

    fn evict(&self, memory: &DeviceMemory, meter: Meter<'_>) {
        // Only of a buffer that nobody uses or waits for: those of the launch at hand are not.
        let Some(_pass) = self.gate.try_write() else { return };
        // SAFETY: the pass is granted, and dropped after the view.
        let host = unsafe { Shared::view(self) };
        let mut residency = self.residency();
        if let Some(number) = residency.number(memory) {
            // If it can't be fetched its device has failed, and the reader will be told.
            let _ = residency.spill(number, host, meter);
        }
    }

    fn fetch_unused(&self) -> bool {
        let Some(_pass) = self.gate.try_write() else { return false };
        // SAFETY: the pass is granted, and dropped after the view.
        let host = unsafe { Shared::view(self) };
        // If that fails its reader will be told.
        self.residency().checkpoint(&(0..self.bytes), host, &|_, _| {}).is_ok()
    }
}
