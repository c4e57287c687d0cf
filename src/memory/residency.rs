//! Copies of a buffer that stay on devices between launches.
//!
//! A device has at most one *window* of a buffer: a block of its store that holds a range of bytes. The
//! buffer's [`RangeMap`] says which of these are current. Missing bytes are copied from the host; bytes that
//! the host lacks are first fetched from a device that has them.
//!
//! Callers hold a granted pass of the buffer's gate. The residency's own lock is held while bytes move, so that
//! no thread takes a range as present while it is in transfer. A window with chunks in flight only grows, by a
//! copy on the device that queues behind them. It is dropped only when it has no chunk in flight and no chunk
//! is writing in the host's memory: dropping fetches the bytes that only the window has, which could overwrite
//! that chunk's results. Bytes that a device could not give back are *lost*: they are computed again from the
//! launch log (`entries`), or reads fail until the bytes are written again.
//!
//! All ranges here are bytes of the whole buffer. Ranges on devices start and end at multiples of 4.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use super::device_memory::{DeviceMemory, HostSide, Meter, Moved};
use super::entries::{Entry, Origins, repeat};
use super::log::Log;
use super::pins::Pin;
use super::ranges::{HOST, Holders, RangeMap};
use super::window::{Window, allocate};
use crate::device::{Block, Fetch, HostBytes, Store};
use crate::error::{Error, Result};

/// A range of a buffer that a chunk may use on a device.
#[derive(Debug, Clone)]
pub(crate) struct Brought {
    pub(crate) block: Block,
    /// The bytes of the part that lie in the block, from the block's first byte on.
    pub(crate) bytes: Range<u64>,
}

pub(super) fn broken() -> Error {
    Error::Internal {
        place: "memory".to_owned(),
        cause: "the map of a buffer names a window that does not exist".to_owned(),
    }
}

/// Which holders have which bytes of one buffer, and how to compute lost bytes again.
#[derive(Debug)]
pub(super) struct Residency {
    /// The buffer's id.
    pub(super) id: u64,
    pub(super) map: RangeMap,
    /// How to repeat the results of devices. The host may have them, too.
    pub(super) origins: Origins,
    /// The ranges of the host's memory that the log may need as they are.
    pins: Vec<Weak<Pin>>,
    /// By device number in the map.
    pub(super) windows: Vec<Option<Window>>,
    /// The ranges that chunks in flight are writing in the host's memory, with their writers. The map does not
    /// have them yet, as a chunk may fail.
    pub(super) writing: Vec<(usize, Range<u64>)>,
}

impl Residency {
    pub(super) fn new(bytes: u64) -> Residency {
        static IDS: AtomicU64 = AtomicU64::new(0);
        Residency {
            id: IDS.fetch_add(1, Relaxed),
            map: RangeMap::new(bytes),
            origins: Origins::default(),
            pins: Vec::new(),
            windows: Vec::new(),
            writing: Vec::new(),
        }
    }

    /// The host has written a range, or is about to.
    pub(super) fn host_writes(&mut self, range: &Range<u64>) {
        self.origins.clear(range);
        self.map.write(range, HOST);
    }

    /// The pieces of a range: whether the host has each, and the entry that made it.
    pub(super) fn pieces(&self, range: &Range<u64>) -> Vec<(Range<u64>, bool, Option<Arc<Entry>>)> {
        let mut pieces = Vec::new();
        for (part, holders) in self.map.within(range) {
            let made = self.origins.over(&part).into_iter();
            pieces.extend(made.map(|(piece, entry)| (piece, holders.has(HOST), entry)));
        }
        pieces
    }

    /// Pins a range of the host's memory, so that the log can use it as it is at this point.
    pub(super) fn pin(
        &mut self,
        range: &Range<u64>,
        host: Weak<dyn HostSide>,
        log: &Arc<Log>,
    ) -> Arc<Pin> {
        self.pins.retain(|pin| pin.strong_count() > 0);
        let mut known = self.pins.iter().filter_map(Weak::upgrade);
        known.find(|pin| pin.is_of(range, log)).unwrap_or_else(|| {
            let pin = Pin::new(range.clone(), host, log);
            self.pins.push(Arc::downgrade(&pin));
            pin
        })
    }

    /// The buffer's pins that are still in use.
    pub(super) fn take_pins(&mut self) -> Vec<Arc<Pin>> {
        let pins: Vec<Arc<Pin>> = self.pins.iter().filter_map(Weak::upgrade).collect();
        self.pins.clear();
        pins
    }

    /// Whether a repetition may need bytes of the host's memory.
    pub(super) fn is_pinned(&self) -> bool {
        self.pins.iter().any(|pin| pin.strong_count() > 0)
    }

    /// A log that lacks room for the bytes that must be saved before a range is written.
    pub(super) fn short_of_room(&self, range: &Range<u64>) -> Option<Arc<Log>> {
        let pins = self.pins.iter().filter_map(Weak::upgrade);
        let mut short = pins.filter(|pin| !pin.log().has_room(pin.unsaved(range)));
        short.find(|pin| pin.unsaved(range) > 0).map(|pin| Arc::clone(pin.log()))
    }

    /// Saves the bytes of the host's memory that the log needs, before a range is overwritten; bytes for which
    /// the log has no room only if `anyway`.
    pub(super) fn preserve(&mut self, range: &Range<u64>, host: HostBytes<'_>, anyway: bool) {
        let needed =
            |pin: &Weak<Pin>| pin.upgrade().is_some_and(|pin| pin.save(range, host, anyway));
        self.pins.retain(needed);
    }

    /// The bytes of a range that the host lacks, and the nanoseconds to compute them again.
    pub(super) fn at_stake(&self, range: &Range<u64>) -> (u64, u64) {
        let missing = self.map.missing(range, HOST);
        let bytes = missing.iter().map(|(part, _)| part.end - part.start).sum();
        (bytes, self.origins.chain(range))
    }

    /// Makes the host have a range, and forgets how to repeat it.
    pub(super) fn checkpoint(
        &mut self,
        range: &Range<u64>,
        host: HostBytes<'_>,
        meter: Meter<'_>,
    ) -> Result<()> {
        self.fetch(range, host, meter)?;
        self.origins.clear(range);
        Ok(())
    }

    /// Computes the lost parts of a range again, into the host's memory.
    fn restore(&mut self, lost: &[Range<u64>], host: HostBytes<'_>, cause: &str) -> Result<()> {
        let mut wanted = Vec::new();
        let mut why = None;
        for (_, entry) in lost.iter().flat_map(|part| self.origins.over(part)) {
            match entry {
                Some(entry) => wanted.push(entry),
                None => {
                    why = Some("the launch log has no record of how they were computed".to_owned())
                }
            }
        }
        let shadows = match why {
            Some(why) => Err(why),
            None => repeat(wanted),
        };
        let shadows = shadows.map_err(|why| {
            let bytes = lost.first().map_or(0..1, Clone::clone);
            Error::Poisoned {
                name: "(kept on a device)".to_owned(),
                cause: format!(
                    "bytes {} to {} are lost: {cause}; {why}. Write all of it before using it again",
                    bytes.start,
                    bytes.end - 1
                ),
            }
        })?;
        for part in lost {
            self.preserve(part, host, true);
            shadows.put(self.id, part, host);
            self.map.add(part, HOST);
        }
        Ok(())
    }

    /// Whether the host has all of a range.
    pub(super) fn on_host(&self, range: &Range<u64>) -> bool {
        self.windows.is_empty() || self.map.holds(range, HOST)
    }

    /// Makes the host have all of a range.
    ///
    /// # Errors
    /// [`Error::Poisoned`] if bytes are lost.
    pub(super) fn fetch(
        &mut self,
        range: &Range<u64>,
        host: HostBytes<'_>,
        meter: Meter<'_>,
    ) -> Result<()> {
        let range = range.start / 4 * 4..range.end.next_multiple_of(4);
        let mut cause = "the device that held the only copy failed".to_owned();
        loop {
            let missing = self.missing(&range, HOST);
            let Some((_, first)) = missing.first() else { return Ok(()) };
            let lost = missing.iter().filter(|(_, holders)| holders.is_empty());
            let lost: Vec<Range<u64>> = lost.map(|(part, _)| part.clone()).collect();
            if !lost.is_empty() {
                self.restore(&lost, host, &cause)?;
                continue;
            }
            // All parts that one device has are fetched together.
            let Some(number) = first.devices().next() else { return Ok(()) };
            let parts: Vec<Range<u64>> = missing
                .into_iter()
                .filter(|(_, holders)| holders.has(Holders::device(number)))
                .map(|(part, _)| part)
                .collect();
            parts.iter().for_each(|part| self.preserve(part, host, true));
            match self.download(number, &parts, host) {
                Ok(bytes) => {
                    if let Some(window) = &self.windows[number] {
                        meter(&window.memory, Moved::Down(bytes));
                    }
                    parts.iter().for_each(|part| self.map.add(part, HOST));
                }
                Err(error) => {
                    cause = error.to_string();
                    self.drop_window(number);
                }
            }
        }
    }

    /// The parts of a range that a holder lacks, with their holders, without the ranges that chunks in flight
    /// write in the host's memory. No other chunk needs those before they end, though a range to fetch may
    /// include them.
    pub(super) fn missing(
        &self,
        range: &Range<u64>,
        holder: Holders,
    ) -> Vec<(Range<u64>, Holders)> {
        let mut missing = self.map.missing(range, holder);
        for (_, written) in &self.writing {
            let without = |(part, holders): (Range<u64>, Holders)| {
                let before = part.start..part.end.min(written.start);
                let after = part.start.max(written.end)..part.end;
                [(before, holders), (after, holders)].into_iter().filter(|(p, _)| p.start < p.end)
            };
            missing = missing.into_iter().flat_map(without).collect();
        }
        missing
    }

    fn download(&self, number: usize, parts: &[Range<u64>], host: HostBytes<'_>) -> Result<u64> {
        let window = self.windows.get(number).and_then(Option::as_ref).ok_or_else(broken)?;
        let mut fetches = Vec::with_capacity(parts.len());
        for part in parts {
            let at = part.start.checked_sub(window.bytes.start).ok_or_else(broken)?;
            let to = host.part(part.start as usize, (part.end - part.start) as usize);
            fetches.push(Fetch { block: window.block.clone(), at, to });
        }
        window.memory.store()?.download(&fetches)?;
        Ok(parts.iter().map(|part| part.end - part.start).sum())
    }

    /// The number of a device that has a window.
    pub(super) fn number(&self, memory: &DeviceMemory) -> Option<usize> {
        let of = |window: &Window| std::ptr::eq(Arc::as_ptr(&window.memory), memory);
        self.windows.iter().position(|window| window.as_ref().is_some_and(of))
    }

    /// Drops a window and its bytes.
    fn drop_window(&mut self, number: usize) {
        self.map.remove(&(0..u64::MAX), Holders::device(number));
        if let Some(window) = self.windows.get_mut(number) {
            *window = None;
        }
    }

    /// Drops a window after the host has fetched the bytes that only the window had.
    pub(super) fn spill(
        &mut self,
        number: usize,
        host: HostBytes<'_>,
        meter: Meter<'_>,
    ) -> Result<()> {
        let outcome = self.fetch_only(number, &(0..u64::MAX), host, meter);
        self.drop_window(number);
        outcome
    }

    /// Fetches to the host the bytes of a range that only one device has.
    fn fetch_only(
        &mut self,
        number: usize,
        range: &Range<u64>,
        host: HostBytes<'_>,
        meter: Meter<'_>,
    ) -> Result<()> {
        let only = self.map.only(range, Holders::device(number));
        only.iter().try_for_each(|part| self.fetch(part, host, meter))
    }

    /// A window of a device that covers `need`, and starts in `part` at a multiple of the stride. `None` if
    /// there is no room for it.
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
                // The next chunks are likely to need more in the same direction: grow by the window's
                // length.
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

    /// Makes a window larger. Chunks in flight in the old block come first in the device's queue.
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

    pub(super) fn ended(&mut self, number: usize) {
        if let Some(window) = self.windows[number].as_mut() {
            window.in_flight = window.in_flight.saturating_sub(1);
        }
    }
}
