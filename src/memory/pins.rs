//! Inputs of logged launches as they were: in the host's memory until it is overwritten, then in a copy.
//!
//! A [`Pin`] names a range of a buffer's host memory whose bytes the log may need. Before a write there, the
//! buffer makes its pins *save* the bytes: copy on write. If the log has no room for the copy, the bytes are
//! gone, and a repetition that needs them fails with that reason. A dropped buffer leaves its memory to its
//! pins.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::allocation::{Allocation, copy};
use super::device_memory::HostSide;
use super::log::Log;
use crate::device::HostBytes;

/// A range of host memory that the log may need as it was.
#[derive(Debug)]
pub(super) struct Pin {
    range: Range<u64>,
    log: Arc<Log>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    buffer: Weak<dyn HostSide>,
    /// The ranges that the buffer's memory still holds.
    there: Vec<Range<u64>>,
    saved: Vec<(Range<u64>, Vec<u8>)>,
    left: Option<Arc<Left>>,
    gone: bool,
}

/// The memory of a buffer that was dropped.
#[derive(Debug)]
pub(super) struct Left {
    memory: Allocation,
    bytes: u64,
    log: Arc<Log>,
}

impl Left {
    /// Memory without another owner, if the log has room for it.
    pub(super) fn new(memory: Allocation, bytes: u64, log: &Arc<Log>) -> Option<Arc<Left>> {
        if !log.has_room(bytes) {
            return None;
        }
        log.keeps(bytes);
        Some(Arc::new(Left { memory, bytes, log: Arc::clone(log) }))
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        self.log.drops(self.bytes);
    }
}

const GONE: &str = "their input was overwritten, and the launch log had no room for a copy";

impl Pin {
    pub(super) fn new(range: Range<u64>, buffer: Weak<dyn HostSide>, log: &Arc<Log>) -> Arc<Pin> {
        let state = State {
            buffer,
            there: vec![range.clone()],
            saved: Vec::new(),
            left: None,
            gone: false,
        };
        Arc::new(Pin { range, log: Arc::clone(log), state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Whether a new pin of that range would stand for the same bytes.
    pub(super) fn is_of(&self, range: &Range<u64>, log: &Arc<Log>) -> bool {
        let state = self.lock();
        self.range == *range && state.saved.is_empty() && !state.gone && Arc::ptr_eq(&self.log, log)
    }

    /// The bytes of a range that a write would make it save.
    pub(super) fn unsaved(&self, range: &Range<u64>) -> u64 {
        let bytes = |there: &Range<u64>| {
            there.end.min(range.end).saturating_sub(there.start.max(range.start))
        };
        self.lock().there.iter().map(bytes).sum()
    }

    /// Saves the bytes of a range that are about to be overwritten; if the log has no room for them, only if
    /// `anyway`. Returns whether the buffer's memory still holds pinned bytes.
    pub(super) fn save(&self, range: &Range<u64>, host: HostBytes<'_>, anyway: bool) -> bool {
        let mut state = self.lock();
        let mut there = Vec::new();
        for part in std::mem::take(&mut state.there) {
            let cut = part.start.max(range.start)..part.end.min(range.end);
            if cut.is_empty() {
                there.push(part);
                continue;
            }
            let rest = [part.start..cut.start, cut.end..part.end];
            there.extend(rest.into_iter().filter(|rest| !rest.is_empty()));
            let bytes = cut.end - cut.start;
            if !anyway && !self.log.has_room(bytes) {
                state.gone = true;
                continue;
            }
            let mut copy = vec![0; bytes as usize];
            host.read(cut.start as usize, &mut copy);
            self.log.keeps(bytes);
            state.saved.push((cut, copy));
        }
        state.there = there;
        if state.gone {
            // The remaining parts are useless without it.
            state.there.clear();
            let freed: u64 = state.saved.drain(..).map(|(_, copy)| copy.len() as u64).sum();
            self.log.drops(freed);
        }
        !state.there.is_empty()
    }

    /// The buffer was dropped. `memory` is its memory, if it was kept.
    pub(super) fn inherit(&self, memory: Option<&Arc<Left>>) {
        let mut state = self.lock();
        state.left = memory.map(Arc::clone);
        state.gone |= memory.is_none() && !state.there.is_empty();
    }

    /// Copies a range of the pinned bytes to the same offset.
    pub(super) fn copy_to(&self, range: &Range<u64>, to: HostBytes<'_>) -> Result<(), String> {
        let inside = |part: &Range<u64>| part.start.max(range.start)..part.end.min(range.end);
        loop {
            let state = self.lock();
            if state.gone {
                return Err(GONE.to_owned());
            }
            // No thread writes there while the lock is held: a writer has to save first.
            let buffer = state.buffer.upgrade();
            let memory = match (&buffer, &state.left) {
                (Some(buffer), _) => {
                    // SAFETY: the view does not outlive `buffer`. No thread writes the bytes that we
                    // read, as above, and all access is through views.
                    Some(unsafe { buffer.view() })
                }
                (None, Some(left)) => {
                    // SAFETY: the view does not outlive `left`, and no thread writes there.
                    Some(unsafe { left.memory.view() })
                }
                (None, None) => None,
            };
            if let Some(memory) = memory {
                state.there.iter().map(inside).for_each(|part| copy(memory, to, &part));
            } else if !state.there.is_empty() {
                // Another thread is dropping the buffer, and will leave its memory to this pin.
                drop(state);
                std::thread::yield_now();
                continue;
            }
            for (saved, bytes) in &state.saved {
                let part = inside(saved);
                if !part.is_empty() {
                    let within = part.start - saved.start..part.end - saved.start;
                    to.write(
                        part.start as usize,
                        &bytes[within.start as usize..within.end as usize],
                    );
                }
            }
            // Dropping the buffer takes the lock.
            drop(state);
            drop(buffer);
            return Ok(());
        }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.log.drops(state.saved.iter().map(|(_, copy)| copy.len() as u64).sum());
    }
}
