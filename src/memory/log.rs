//! The memory of a launch log: what is kept is counted, and what would exceed the budget is fetched to the host.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::device_memory::HostSide;

/// The memory of a runtime's log.
#[derive(Debug)]
pub(crate) struct Log {
    /// Bytes that may be kept; none: nothing is logged.
    budget: u64,
    held: AtomicU64,
    entries: AtomicU64,
    /// Entries that were computed once more, ever.
    repeated: AtomicU64,
    /// Buffers of which devices have something that the host has not.
    ahead: Mutex<Vec<Weak<dyn HostSide>>>,
}

pub(super) const NO_ROOM: &str = "the log of launches had no room for it";

/// Something that takes so much of a log's memory for as long as this is there.
#[derive(Debug)]
pub(crate) struct Weight {
    pub(super) log: Arc<Log>,
    pub(super) bytes: u64,
}

impl Drop for Weight {
    fn drop(&mut self) {
        self.log.drops(self.bytes);
    }
}

impl Log {
    pub(crate) fn new(budget: u64) -> Arc<Log> {
        let [held, entries, repeated] = [const { AtomicU64::new(0) }; 3];
        Arc::new(Log { budget, held, entries, repeated, ahead: Mutex::default() })
    }

    /// Entries that were computed once more, ever.
    pub(crate) fn repeated(&self) -> u64 {
        self.repeated.load(Relaxed)
    }

    /// Whether launches are logged at all.
    pub(crate) fn is_on(&self) -> bool {
        self.budget > 0
    }

    /// Whether it is time to make room.
    pub(crate) fn is_nearly_full(&self) -> bool {
        self.is_on() && self.held.load(Relaxed) > self.budget / 2
    }

    /// Counts so many bytes, if there is room.
    pub(crate) fn weigh(self: &Arc<Log>, bytes: u64) -> std::result::Result<Weight, String> {
        if !self.has_room(bytes) {
            return Err(NO_ROOM.to_owned());
        }
        self.keeps(bytes);
        Ok(Weight { log: Arc::clone(self), bytes })
    }

    /// Entries, and bytes that are kept for them.
    #[cfg(test)]
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.entries.load(Relaxed), self.held.load(Relaxed))
    }

    pub(super) fn has_room(&self, bytes: u64) -> bool {
        self.held.load(Relaxed).saturating_add(bytes) <= self.budget
    }

    pub(super) fn keeps(&self, bytes: u64) {
        self.held.fetch_add(bytes, Relaxed);
    }

    pub(super) fn drops(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Relaxed);
    }

    fn ahead(&self) -> MutexGuard<'_, Vec<Weak<dyn HostSide>>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A device has something of a buffer that the host has not.
    pub(super) fn note(&self, buffer: Weak<dyn HostSide>) {
        let mut ahead = self.ahead();
        if !ahead.iter().any(|known| known.ptr_eq(&buffer)) {
            ahead.retain(|known| known.strong_count() > 0);
            ahead.push(buffer);
        }
    }

    /// Fetches what devices have of all buffers that nobody uses or waits for.
    pub(crate) fn relieve(&self) {
        let all = std::mem::take(&mut *self.ahead());
        for buffer in all {
            if buffer.upgrade().is_some_and(|host| !host.fetch_unused()) {
                self.note(buffer);
            }
        }
    }

    /// An entry was made, or dropped.
    pub(super) fn count_entry(&self, made: bool) {
        if made {
            self.entries.fetch_add(1, Relaxed)
        } else {
            self.entries.fetch_sub(1, Relaxed)
        };
    }

    /// An entry was computed once more.
    pub(super) fn count_repeated(&self) {
        self.repeated.fetch_add(1, Relaxed);
    }
}
