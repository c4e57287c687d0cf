//! Copies of a buffer that stay on devices between launches.
//!
//! A device has at most one *window* of a buffer: a block of its store that holds a range of
//! bytes. Which of these are the current version, the buffer's [`RangeMap`] knows. What is missing
//! is brought from the host, and what the host lacks is first fetched from the device that has it.
//!
//! Who calls has a granted pass of the buffer's gate; the residency's own lock is held while bytes
//! move, so that nobody sees a range as present that is still on its way. A window with chunks in
//! flight only grows, by a copy on the device that queues behind them; it is dropped when none is, and when
//! no chunk writes in the host's memory: what only the window has would come to lie over that.
//! What a device could not give back is *lost*: it is computed again from the launch log (`log.rs`),
//! or the buffer says that it is lost until it is written again.
//!
//! All ranges here are bytes of the whole buffer. Those that devices have start and end at
//! multiples of 4.

mod windows;

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, MutexGuard, PoisonError, Weak};

use super::buffer::{BufferRange, Shared};
use super::device_memory::{DeviceMemory, Meter, Moved};
use super::log::{Entry, Log, Origins, repeat};
use super::pins::Pin;
use super::ranges::{HOST, Holders, RangeMap};
use crate::device::{Block, Fetch, HostBytes};
use crate::error::{Error, Result};
use windows::Window;

/// A range of a buffer that a chunk may use on a device.
#[derive(Debug, Clone)]
pub(crate) struct Brought {
    pub(crate) block: Block,
    /// The bytes of the part that lie in the block, from its first on.
    pub(crate) bytes: Range<u64>,
}

/// Where the bytes of one buffer are.
#[derive(Debug)]
pub(super) struct Residency {
    /// Which buffer this is.
    pub(super) id: u64,
    map: RangeMap,
    /// How to compute again what devices have made. The host may have it, too.
    origins: Origins,
    /// What of the host's memory the log needs as it is.
    pins: Vec<Weak<Pin>>,
    /// By device number of the map.
    windows: Vec<Option<Window>>,
    /// What chunks in flight write in the host's memory, and who does. The map does not say so yet, as
    /// it may come to nothing.
    writing: Vec<(usize, Range<u64>)>,
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

    /// The pieces of a range: whether the host has each, and what made it.
    pub(super) fn pieces(&self, range: &Range<u64>) -> Vec<(Range<u64>, bool, Option<Arc<Entry>>)> {
        let mut pieces = Vec::new();
        for (part, holders) in self.map.within(range) {
            let made = self.origins.over(&part).into_iter();
            pieces.extend(made.map(|(piece, entry)| (piece, holders.has(HOST), entry)));
        }
        pieces
    }

    /// Has the log find a range of the host's memory as it is now.
    pub(super) fn pin(
        &mut self,
        range: &Range<u64>,
        shared: &Arc<Shared>,
        log: &Arc<Log>,
    ) -> Arc<Pin> {
        self.pins.retain(|pin| pin.strong_count() > 0);
        let mut known = self.pins.iter().filter_map(Weak::upgrade);
        known.find(|pin| pin.is_of(range, log)).unwrap_or_else(|| {
            let pin = Pin::new(range.clone(), shared, log);
            self.pins.push(Arc::downgrade(&pin));
            pin
        })
    }

    /// The pins of the buffer that are still wanted.
    pub(super) fn take_pins(&mut self) -> Vec<Arc<Pin>> {
        let pins: Vec<Arc<Pin>> = self.pins.iter().filter_map(Weak::upgrade).collect();
        self.pins.clear();
        pins
    }

    /// Whether something may be computed again from what the host's memory holds.
    pub(super) fn is_pinned(&self) -> bool {
        self.pins.iter().any(|pin| pin.strong_count() > 0)
    }

    /// A log that has no room for what would have to be saved before a range is written.
    fn short_of_room(&self, range: &Range<u64>) -> Option<Arc<Log>> {
        let pins = self.pins.iter().filter_map(Weak::upgrade);
        let mut short = pins.filter(|pin| !pin.log().has_room(pin.unsaved(range)));
        short.find(|pin| pin.unsaved(range) > 0).map(|pin| Arc::clone(pin.log()))
    }

    /// Saves what the log needs of a range of the host's memory that is about to be overwritten; what
    /// the log has no room for only when `anyway`.
    fn preserve(&mut self, range: &Range<u64>, host: HostBytes<'_>, anyway: bool) {
        let needed =
            |pin: &Weak<Pin>| pin.upgrade().is_some_and(|pin| pin.save(range, host, anyway));
        self.pins.retain(needed);
    }

    /// Bytes of a range that the host has not, and nanoseconds to compute it again.
    pub(super) fn at_stake(&self, range: &Range<u64>) -> (u64, u64) {
        let missing = self.map.missing(range, HOST);
        let bytes = missing.iter().map(|(part, _)| part.end - part.start).sum();
        (bytes, self.origins.chain(range))
    }

    /// Makes the host have a range, and forgets how it was made.
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

    /// Computes again what is lost of a range, into the host's memory.
    fn restore(&mut self, lost: &[Range<u64>], host: HostBytes<'_>, cause: &str) -> Result<()> {
        let mut wanted = Vec::new();
        let mut why = None;
        for (_, entry) in lost.iter().flat_map(|part| self.origins.over(part)) {
            match entry {
                Some(entry) => wanted.push(entry),
                None => why = Some("nobody knows how it was computed".to_owned()),
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
                    "bytes {} to {} are lost: {cause}; and {why}",
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
    /// [`Error::Poisoned`] when some of it is lost.
    pub(super) fn fetch(
        &mut self,
        range: &Range<u64>,
        host: HostBytes<'_>,
        meter: Meter<'_>,
    ) -> Result<()> {
        let range = range.start / 4 * 4..range.end.next_multiple_of(4);
        let mut cause = "the device that had it failed".to_owned();
        loop {
            let missing = self.missing(&range, HOST);
            let Some((_, first)) = missing.first() else { return Ok(()) };
            let lost = missing.iter().filter(|(_, holders)| holders.is_empty());
            let lost: Vec<Range<u64>> = lost.map(|(part, _)| part.clone()).collect();
            if !lost.is_empty() {
                self.restore(&lost, host, &cause)?;
                continue;
            }
            // All that one device has comes in one go.
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

    /// The parts of a range that a holder has not, and who has them, but for what chunks in flight
    /// write in the host's memory: nobody needs that before they have ended, though it may lie in the
    /// range around what somebody needs.
    fn missing(&self, range: &Range<u64>, holder: Holders) -> Vec<(Range<u64>, Holders)> {
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

    /// A window is gone, and with it what it held.
    fn drop_window(&mut self, number: usize) {
        self.map.remove(&(0..u64::MAX), Holders::device(number));
        if let Some(window) = self.windows.get_mut(number) {
            *window = None;
        }
    }

    /// Drops a window after the host has got what only the window had.
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

    /// Brings to the host what of a range only one device has.
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
}

fn broken() -> Error {
    Error::Internal {
        place: "memory".to_owned(),
        cause: "the map of a buffer names a window that is not there".to_owned(),
    }
}

impl Shared {
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

/// For the holder of a granted pass. Ranges are bytes of the part.
impl BufferRange {
    fn whole(&self, range: &Range<u64>) -> Range<u64> {
        self.bytes.start + range.start..self.bytes.start + range.end
    }

    /// Whether two parts are of one buffer.
    pub(crate) fn same_buffer(&self, other: &BufferRange) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether the host has all of the part.
    pub(crate) fn on_host(&self) -> bool {
        self.shared.residency().on_host(&self.bytes)
    }

    /// Makes the host have a range.
    pub(crate) fn fetch(&self, range: &Range<u64>, meter: Meter<'_>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        self.shared.fetch(&self.whole(range), meter)
    }

    /// A range has been written in host memory, or all that is not will be.
    pub(crate) fn written_on_host(&self, range: &Range<u64>) {
        self.shared.residency().host_writes(&self.whole(range));
    }

    /// Somebody, who has a number, begins to write a range in host memory, until
    /// [`BufferRange::ends_to_write`].
    pub(crate) fn begins_to_write(&self, who: usize, range: &Range<u64>) {
        let whole = self.whole(range);
        self.shared.residency().writing.push((who, whole));
    }

    /// That is over, if it was ever begun.
    pub(crate) fn ends_to_write(&self, who: usize, range: &Range<u64>) {
        let whole = self.whole(range);
        let writing = &mut self.shared.residency().writing;
        if let Some(at) = writing.iter().position(|(by, range)| *by == who && *range == whole) {
            writing.swap_remove(at);
        }
    }

    /// Makes a device have a window of `need`, with the current version of `upload`. What is there
    /// of both is not moved. Nothing where the device has no room. Each that is brought is to be
    /// told [`BufferRange::written_on`] or [`BufferRange::not_written_on`] once.
    pub(crate) fn bring(
        &self,
        memory: &Arc<DeviceMemory>,
        need: &Range<u64>,
        upload: &Range<u64>,
        stride: u64,
        meter: Meter<'_>,
    ) -> Result<Option<Brought>> {
        let mut residency = self.shared.residency();
        // SAFETY: the caller has a granted pass and `self` keeps the `Shared`; the view ends here.
        let host = unsafe { self.shared.view() };
        let elements = (self.bytes.end - self.bytes.start) / stride * stride;
        let part = self.bytes.start..self.bytes.start + elements;
        let (need, upload) = (self.whole(need), self.whole(upload));
        let found = residency.window(memory, &need, (&part, stride), host, meter)?;
        let Some(number) = found else { return Ok(None) };
        memory.note_use(&self.shared);
        let holder = Holders::device(number);
        for (missing, holders) in residency.missing(&upload, holder) {
            if !holders.has(HOST) {
                residency.fetch(&missing, host, meter)?;
            }
        }
        // Neighbours that came from different places are one upload now.
        let mut parts: Vec<Range<u64>> = Vec::new();
        for (missing, _) in residency.missing(&upload, holder) {
            match parts.last_mut() {
                Some(last) if last.end == missing.start => last.end = missing.end,
                _ => parts.push(missing),
            }
        }
        let Some(window) = residency.windows[number].as_ref() else { return Err(broken()) };
        let (block, bytes) = (window.block.clone(), window.bytes.clone());
        for missing in parts {
            let len = missing.end - missing.start;
            let from = host.part(missing.start as usize, len as usize);
            memory.store()?.upload(&block, missing.start - bytes.start, from)?;
            meter(memory, Moved::Up(len));
            residency.map.add(&missing, holder);
        }
        if let Some(window) = residency.windows[number].as_mut() {
            window.in_flight += 1;
        }
        let bytes = bytes.start - self.bytes.start..bytes.end - self.bytes.start;
        Ok(Some(Brought { block, bytes }))
    }

    /// A chunk that was brought its window has written a range there, and ended; `origin` says how to
    /// do so again.
    pub(crate) fn written_on(
        &self,
        memory: &DeviceMemory,
        range: &Range<u64>,
        origin: Option<&Arc<Entry>>,
    ) {
        let mut residency = self.shared.residency();
        let whole = self.whole(range);
        match origin {
            Some(entry) => residency.origins.set(&whole, entry),
            None => residency.origins.clear(&whole),
        }
        let Some(number) = residency.number(memory) else {
            // Something could not be fetched from the window meanwhile, and it was given up.
            residency.map.write(&whole, Holders::default());
            return;
        };
        residency.map.write(&whole, Holders::device(number));
        residency.ended(number);
        drop(residency);
        if let Some(entry) = origin {
            entry.log().note(&self.shared);
        }
    }

    /// A chunk that was brought its window has ended without a result; a range of it may hold
    /// anything now.
    pub(crate) fn not_written_on(&self, memory: &DeviceMemory, range: &Range<u64>) {
        let mut residency = self.shared.residency();
        if let Some(number) = residency.number(memory) {
            let whole = self.whole(range);
            residency.map.remove(&whole, Holders::device(number));
            residency.ended(number);
        }
    }

    /// Its contents are others than those that the launch began with.
    pub(crate) fn changed(&self) {
        self.shared.changes();
    }

    /// Bytes of a range that are current on a device; `beyond_host` leaves out what the host has, too.
    pub(crate) fn held(&self, memory: &DeviceMemory, range: &Range<u64>, beyond_host: bool) -> u64 {
        let residency = self.shared.residency();
        let Some(number) = residency.number(memory) else { return 0 };
        let others = if beyond_host { HOST } else { Holders::default() };
        residency.map.held(&self.whole(range), Holders::device(number), others)
    }

    /// Gives up a device's window, if nothing is in flight there.
    pub(crate) fn leave(&self, memory: &DeviceMemory, meter: Meter<'_>) -> Result<()> {
        let mut residency = self.shared.residency();
        let Some(number) = residency.number(memory) else { return Ok(()) };
        let used = residency.windows[number].as_ref().is_some_and(|window| window.in_flight > 0);
        if used || !residency.writing.is_empty() {
            return Ok(());
        }
        // SAFETY: the caller has a granted pass and `self` keeps the `Shared`; the view ends here.
        let host = unsafe { self.shared.view() };
        residency.spill(number, host, meter)
    }
}

impl Residency {
    fn ended(&mut self, number: usize) {
        if let Some(window) = self.windows[number].as_mut() {
            window.in_flight = window.in_flight.saturating_sub(1);
        }
    }
}
