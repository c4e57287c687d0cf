//! A buffer, or a part of one, as launches use it: fetched to the host, brought to devices, recorded.
//!
//! The methods are for the holder of a granted pass, except those that only look at positions. Their ranges
//! are bytes of the part.

use std::ops::Range;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use super::device_memory::{DeviceMemory, HostSide, Meter, Moved};
use super::entries::{Entry, Recorder};
use super::ranges::{HOST, Holders};
use super::residency::{Brought, broken};
use super::shared::Shared;
use crate::analysis::Contents;
use crate::device::HostBytes;
use crate::error::Result;
use crate::kernel::RustType;

/// A buffer, or a part of one, as a launch binds it. Made from `&Buffer<T>` or by
/// [`Buffer::slice`](crate::Buffer::slice); keeps the buffer alive.
#[derive(Debug, Clone)]
pub struct BufferRange {
    pub(super) shared: Arc<Shared>,
    pub(super) bytes: Range<u64>,
    pub(crate) element: RustType,
}

impl From<&BufferRange> for BufferRange {
    fn from(range: &BufferRange) -> BufferRange {
        range.clone()
    }
}

impl BufferRange {
    /// The number of bytes of the part.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }

    /// The part's contents; `memory` is its host memory.
    pub(crate) fn contents<'a>(&self, memory: HostBytes<'a>) -> Contents<'a> {
        let version = self.shared.version.lock().unwrap_or_else(PoisonError::into_inner);
        let version = Arc::clone(&version);
        Contents { bytes: memory, start: self.bytes.start, version, absent: None }
    }

    /// Whether two bound parts share a byte.
    pub(crate) fn overlaps(&self, other: &BufferRange) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
            && self.bytes.start < other.bytes.end
            && other.bytes.start < self.bytes.end
    }

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

    /// Makes the host hold the current version of a range.
    pub(crate) fn fetch(&self, range: &Range<u64>, meter: Meter<'_>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        self.shared.fetch(&self.whole(range), meter)
    }

    /// Marks a range as written in host memory. Any unwritten rest will be written.
    pub(crate) fn written_on_host(&self, range: &Range<u64>) {
        self.shared.residency().host_writes(&self.whole(range));
    }

    /// Begins a write of a range in host memory by writer `who`, until [`BufferRange::ends_to_write`].
    pub(crate) fn begins_to_write(&self, who: usize, range: &Range<u64>) {
        let whole = self.whole(range);
        self.shared.residency().writing.push((who, whole));
    }

    /// Ends that write, if it was begun.
    pub(crate) fn ends_to_write(&self, who: usize, range: &Range<u64>) {
        let whole = self.whole(range);
        let writing = &mut self.shared.residency().writing;
        if let Some(at) = writing.iter().position(|(by, range)| *by == who && *range == whole) {
            writing.swap_remove(at);
        }
    }

    /// Makes a device have a window of `need`, with the current version of `upload`. Bytes that are there are
    /// not moved. `None` if the device has no room. Each success is followed by exactly one call of
    /// [`BufferRange::written_on`] or [`BufferRange::not_written_on`].
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
        memory.note_use(Arc::downgrade(&self.shared) as _);
        let holder = Holders::device(number);
        for (missing, holders) in residency.missing(&upload, holder) {
            if !holders.has(HOST) {
                residency.fetch(&missing, host, meter)?;
            }
        }
        // Neighbouring parts of different holders become one upload.
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

    /// A chunk that was brought its window has ended and written a range there. `origin` repeats it.
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
            // The window was dropped meanwhile, since a fetch from it failed.
            residency.map.write(&whole, Holders::default());
            return;
        };
        residency.map.write(&whole, Holders::device(number));
        residency.ended(number);
        drop(residency);
        if let Some(entry) = origin {
            entry.log().note(Arc::downgrade(&self.shared) as _);
        }
    }

    /// A chunk that was brought its window has ended without a result; a range of it may hold anything.
    pub(crate) fn not_written_on(&self, memory: &DeviceMemory, range: &Range<u64>) {
        let mut residency = self.shared.residency();
        if let Some(number) = residency.number(memory) {
            let whole = self.whole(range);
            residency.map.remove(&whole, Holders::device(number));
            residency.ended(number);
        }
    }

    /// Starts a new version of the contents, unlike the one that the launch began with.
    pub(crate) fn changed(&self) {
        self.shared.changes();
    }

    /// Bytes of a range that are current on a device; `beyond_host` excludes those that the host has, too.
    pub(crate) fn held(&self, memory: &DeviceMemory, range: &Range<u64>, beyond_host: bool) -> u64 {
        let residency = self.shared.residency();
        let Some(number) = residency.number(memory) else { return 0 };
        let others = if beyond_host { HOST } else { Holders::default() };
        residency.map.held(&self.whole(range), Holders::device(number), others)
    }

    /// Drops a device's window, if no chunk is in flight there.
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

    /// The id of the buffer.
    pub(crate) fn buffer_id(&self) -> u64 {
        self.shared.residency().id
    }

    /// The part's bytes in its buffer.
    pub(crate) fn place(&self) -> Range<u64> {
        self.bytes.clone()
    }

    /// The bytes that only devices have, and how long it would take to compute them again.
    pub(crate) fn at_stake(&self) -> (u64, Duration) {
        let residency = self.shared.residency();
        let (bytes, nanoseconds) = residency.at_stake(&self.bytes);
        (bytes, Duration::from_nanos(nanoseconds))
    }

    /// Makes the host have the part, so that the log need not keep it.
    pub(crate) fn checkpoint(&self, meter: Meter<'_>) -> Result<()> {
        // SAFETY: the caller has a granted pass and `self` keeps the `Shared`; the view ends here.
        let host = unsafe { self.shared.view() };
        self.shared.residency().checkpoint(&self.bytes, host, meter)
    }

    /// Saves the bytes of a range that the log needs, before the host's memory is written.
    pub(crate) fn preserve(&self, range: &Range<u64>) {
        self.shared.preserve(&(self.bytes.start + range.start..self.bytes.start + range.end));
    }

    /// Adds the part to those that recorded work is given. The work needs the range `needed` as it is at this
    /// point.
    pub(crate) fn record(&self, recorder: &mut Recorder, needed: &Range<u64>) {
        let mut residency = self.shared.residency();
        let needed = self.whole(needed);
        recorder.part(residency.id, self.shared.bytes, self.bytes.clone());
        for (piece, on_host, origin) in residency.pieces(&needed) {
            let buffer = residency.id;
            let host: Weak<dyn HostSide> = Arc::downgrade(&self.shared) as _;
            recorder.source(buffer, piece, on_host, origin, |piece, log| {
                residency.pin(piece, host, log)
            });
        }
    }
}
