//! The memory of a launch log: kept bytes are counted, and results are fetched to the host before the budget is
//! exceeded.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::device_memory::HostSide;

/// The memory of a runtime's log.
#[derive(Debug)]
pub(crate) struct Log {
    /// Bytes that may be kept; 0 turns the log off.
    budget: u64,
    held: AtomicU64,
    entries: AtomicU64,
    /// The number of repeated entries since the start.
    repeated: AtomicU64,
    /// Buffers of which a device holds bytes that the host lacks.
    ahead: Mutex<Vec<Weak<dyn HostSide>>>,
}

pub(super) const NO_ROOM: &str = "the launch log had no room for the launch";

/// Counts `bytes` against a log's budget until it is dropped.
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

    /// The number of repeated entries since the start.
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

    /// Counts `bytes` bytes, if there is room.
    pub(crate) fn weigh(self: &Arc<Log>, bytes: u64) -> std::result::Result<Weight, String> {
        if !self.has_room(bytes) {
            return Err(NO_ROOM.to_owned());
        }
        self.keeps(bytes);
        Ok(Weight { log: Arc::clone(self), bytes })
    }

    /// The number of entries, and the bytes that are kept for them.
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

    /// Notes that a device holds bytes of a buffer that the host lacks.
    pub(super) fn note(&self, buffer: Weak<dyn HostSide>) {
        let mut ahead = self.ahead();
        if !ahead.iter().any(|known| known.ptr_eq(&buffer)) {
            ahead.retain(|known| known.strong_count() > 0);
            ahead.push(buffer);
        }
    }

    /// Fetches to the host the results that only devices hold, of all buffers without a pass.
    pub(crate) fn relieve(&self) {
        let all = std::mem::take(&mut *self.ahead());
        for buffer in all {
            if buffer.upgrade().is_some_and(|host| !host.fetch_unused()) {
                self.note(buffer);
            }
        }
    }

    /// Counts an entry that was made, or uncounts one that was dropped.
    pub(super) fn count_entry(&self, made: bool) {
        if made {
            self.entries.fetch_add(1, Relaxed)
        } else {
            self.entries.fetch_sub(1, Relaxed)
        };
    }

    /// Counts a repeated entry.
    pub(super) fn count_repeated(&self) {
        self.repeated.fetch_add(1, Relaxed);
    }
}
