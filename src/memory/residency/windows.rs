//! The windows of a buffer on devices: found, made, made larger, given up.
//!
//! A window with chunks in flight only grows, by a copy on the device that queues behind them. Where
//! there is no room there is no window, and who asked works in the host's memory.

use std::ops::Range;
use std::sync::Arc;

use super::{Residency, broken};
use crate::device::{Block, HostBytes, Store};
use crate::error::{Error, FailureKind, Result};
use crate::memory::device_memory::{DeviceMemory, Meter};
use crate::memory::ranges::Holders;

#[derive(Debug)]
pub(super) struct Window {
    pub(super) block: Block,
    pub(super) bytes: Range<u64>,
    /// Chunks that were given the block and have not ended.
    pub(super) in_flight: u32,
    pub(super) memory: Arc<DeviceMemory>,
}

impl Drop for Window {
    fn drop(&mut self) {
        self.memory.gives(self.bytes.end - self.bytes.start);
    }
}

impl Residency {
    /// A window of a device that covers `need`, and lies in `part` at a whole number of strides.
    /// Nothing where there is no room for it.
    pub(super) fn window(
        &mut self,
        memory: &Arc<DeviceMemory>,
        need: &Range<u64>,
        (part, stride): (&Range<u64>, u64),
        host: HostBytes<'_>,
        meter: Meter<'_>,
    ) -> Result<Option<usize>> {
        let store = memory.store()?;
        let mut number = self.number(memory);
        let mut wanted = vec![need.clone()];
        if let Some(old) = number {
            let Some(window) = &self.windows[old] else { return Err(broken()) };
            let busy = window.in_flight > 0 || !self.writing.is_empty();
            let had = window.bytes.clone();
            let usable = part.start <= had.start
                && had.end <= part.end
                && (had.start - part.start).is_multiple_of(stride);
            if usable && had.start <= need.start && need.end <= had.end {
                return Ok(number);
            }
            if busy && !usable {
                return Ok(None);
            }
            if usable {
                // It will be wanted further on in the same direction: grow by as much again.
                let both = had.start.min(need.start)..had.end.max(need.end);
                let again = (had.end - had.start) / stride * stride;
                let start = both.start
                    - if need.start < had.start { again } else { 0 }.min(both.start - part.start);
                let end =
                    both.end + if need.end > had.end { again } else { 0 }.min(part.end - both.end);
                wanted = vec![start..end, both];
            }
            let moved = wanted.iter().find(|range| {
                let bytes = range.end - range.start;
                bytes <= store.largest() && memory.make_room(bytes, meter)
            });
            if let (true, Some(range)) = (usable, moved) {
                return self.grow(old, range.clone(), store);
            }
            if busy {
                return Ok(None);
            }
            self.spill(old, host, meter)?;
            number = None;
            wanted = vec![need.clone()];
        }
        debug_assert!(number.is_none());
        let range = wanted.swap_remove(0);
        let bytes = range.end - range.start;
        if bytes > store.largest() || !memory.make_room(bytes, meter) {
            return Ok(None);
        }
        let free = self.windows.iter().position(Option::is_none).unwrap_or(self.windows.len());
        if free >= Holders::MOST_DEVICES {
            return Ok(None);
        }
        let Some(block) = allocate(store, bytes)? else { return Ok(None) };
        memory.takes(bytes);
        let window = Window { block, bytes: range, in_flight: 0, memory: Arc::clone(memory) };
        if free == self.windows.len() {
            self.windows.push(Some(window));
        } else {
            self.windows[free] = Some(window);
        }
        Ok(Some(free))
    }

    /// Makes a window larger. Chunks in flight in the old block are ahead in the device's queue.
    fn grow(
        &mut self,
        number: usize,
        range: Range<u64>,
        store: &dyn Store,
    ) -> Result<Option<usize>> {
        let Some(block) = allocate(store, range.end - range.start)? else { return Ok(None) };
        let Some(window) = self.windows[number].as_mut() else { return Err(broken()) };
        let had = window.bytes.clone();
        store.copy(&window.block, 0..had.end - had.start, &block, had.start - range.start)?;
        window.memory.takes(range.end - range.start);
        window.memory.gives(had.end - had.start);
        window.block = block;
        window.bytes = range;
        Ok(Some(number))
    }
}

/// A block, or nothing when the device has no memory left.
fn allocate(store: &dyn Store, bytes: u64) -> Result<Option<Block>> {
    match store.allocate(bytes) {
        Ok(block) => Ok(Some(block)),
        Err(Error::Device { kind: FailureKind::OutOfMemory, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
