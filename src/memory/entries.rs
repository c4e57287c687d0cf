//! The launch log: how to compute again the bytes that only a device holds, should that device fail.
//!
//! A chunk whose result stays on a device leaves an [`Entry`]: the work, and the source of each part of its
//! input. A source is an earlier entry, if only a device has the part ([`Source::Made`]), or the host's memory
//! as it was then ([`Source::Host`], a [`Pin`]). A buffer keeps, by range, the entry that made its contents
//! ([`Origins`]), until the host has them or they are overwritten. So reference counts alone keep entries: an
//! entry from which no buffer's contents follow is dropped.
//!
//! A repetition runs the entries that a lost range follows from, in the order in which they were made, on
//! copies of the buffers in host memory (*shadows*).
//!
//! Invariants: an entry's inputs are available as they were, or its pin says that they are gone. Memory that the
//! log keeps (copies of overwritten inputs, inputs of dropped buffers, entries) is counted. If it would exceed
//! the log's budget, the results that depend on it are fetched to the host (a *checkpoint*), or can't be
//! repeated. `runtime/execution/log.rs` decides when else a checkpoint pays.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::allocation::{Allocation, copy};
use super::log::{Log, NO_ROOM, Weight};
use super::pins::Pin;
use crate::device::HostBytes;
use crate::error::Result;

/// The approximate bytes of an entry, without its work and its pinned inputs.
const ENTRY_BYTES: u64 = 1024;

/// Work that can be repeated.
pub(crate) trait Repeat: Send + Sync {
    /// Repeats the work. `memory` has the entry's parts, in the order in which they were recorded, with the
    /// inputs filled in. The results go there.
    fn repeat(&self, memory: &[HostBytes<'_>]) -> Result<()>;
}

/// A computation, and how to repeat it.
pub(crate) struct Entry {
    number: u64,
    /// The work, or the reason why it can't be repeated.
    work: std::result::Result<Box<dyn Repeat>, String>,
    parts: Vec<Part>,
    sources: Vec<(u64, Range<u64>, Source)>,
    /// Nanoseconds that the longest chain of entries before it took.
    before: u64,
    took: AtomicU64,
    log: Arc<Log>,
    _weight: Weight,
}

/// A part of a buffer.
struct Part {
    buffer: u64,
    /// The bytes of the whole buffer.
    bytes: u64,
    range: Range<u64>,
}

/// The source of a range of an input.
#[derive(Clone)]
enum Source {
    /// The host's memory, as it was when the entry was recorded.
    Host(Arc<Pin>),
    /// The result of an earlier entry.
    Made(Arc<Entry>),
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Entry {
    pub(super) fn log(&self) -> &Log {
        &self.log
    }

    /// Sets how long the work took.
    pub(crate) fn took(&self, time: Duration) {
        self.took.store(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Relaxed);
    }

    /// The nanoseconds that it takes to repeat the entry and all that it follows from, if parallel work is
    /// repeated in parallel.
    fn chain(&self) -> u64 {
        self.before.saturating_add(self.took.load(Relaxed))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.log.count_entry(false);
        // A chain may be thousands of entries long, so it is dropped without recursion.
        let mut left = std::mem::take(&mut self.sources);
        while let Some((_, _, source)) = left.pop() {
            if let Source::Made(entry) = source
                && let Some(mut entry) = Arc::into_inner(entry)
            {
                left.append(&mut entry.sources);
            }
        }
    }
}

/// Collects the parts and sources of an entry, before the work begins.
pub(crate) struct Recorder {
    log: Arc<Log>,
    parts: Vec<Part>,
    sources: Vec<(u64, Range<u64>, Source)>,
    before: u64,
    /// Why the work can't be repeated.
    obstacle: Option<String>,
}

impl Recorder {
    pub(crate) fn new(log: &Arc<Log>) -> Recorder {
        let (parts, sources) = (Vec::new(), Vec::new());
        Recorder { log: Arc::clone(log), parts, sources, before: 0, obstacle: None }
    }

    /// Adds a part that the work is given: a range of a buffer of `bytes` bytes.
    pub(super) fn part(&mut self, buffer: u64, bytes: u64, range: Range<u64>) {
        self.parts.push(Part { buffer, bytes, range });
    }

    /// Adds a piece of a buffer that the work needs as it is at this point. An entry made it, or it is in the
    /// host's memory, which `pin` then keeps.
    pub(super) fn source(
        &mut self,
        buffer: u64,
        piece: Range<u64>,
        on_host: bool,
        origin: Option<Arc<Entry>>,
        pin: impl FnOnce(&Range<u64>, &Arc<Log>) -> Arc<Pin>,
    ) {
        self.before = self.before.max(origin.as_ref().map_or(0, |entry| entry.chain()));
        match origin {
            Some(entry) if entry.work.is_ok() => {
                self.sources.push((buffer, piece, Source::Made(entry)));
            }
            _ if on_host => {
                let pin = pin(&piece, &self.log);
                self.sources.push((buffer, piece, Source::Host(pin)));
            }
            Some(entry) => {
                let why = entry.work.as_ref().err().cloned().unwrap_or_default();
                self.obstacle.get_or_insert(why);
            }
            None => {
                self.obstacle
                    .get_or_insert("the launch log has no record of their input".to_owned());
            }
        }
    }

    /// The entry, of the work or of the reason why it can't be repeated.
    pub(crate) fn entry(self, work: std::result::Result<Box<dyn Repeat>, String>) -> Arc<Entry> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let mut work = match self.obstacle {
            Some(why) => Err(why),
            None => work,
        };
        if work.is_ok() && !self.log.has_room(ENTRY_BYTES) {
            work = Err(NO_ROOM.to_owned());
        }
        let (parts, sources) =
            if work.is_ok() { (self.parts, self.sources) } else { Default::default() };
        self.log.keeps(ENTRY_BYTES);
        self.log.count_entry(true);
        Arc::new(Entry {
            number: NUMBERS.fetch_add(1, Relaxed),
            work,
            parts,
            sources,
            before: self.before,
            took: AtomicU64::new(0),
            _weight: Weight { log: Arc::clone(&self.log), bytes: ENTRY_BYTES },
            log: self.log,
        })
    }
}

/// The entry that made each range of a buffer.
#[derive(Debug, Default)]
pub(super) struct Origins {
    /// In order, without overlap.
    made: Vec<(Range<u64>, Arc<Entry>)>,
}

impl Origins {
    /// Forgets the entries that made a range.
    pub(super) fn clear(&mut self, range: &Range<u64>) {
        if self.made.is_empty() || range.is_empty() {
            return;
        }
        let mut left = Vec::with_capacity(self.made.len() + 1);
        for (made, entry) in self.made.drain(..) {
            let below = made.start..made.end.min(range.start);
            let above = made.start.max(range.end)..made.end;
            let rest = [below, above].into_iter().filter(|rest| !rest.is_empty());
            left.extend(rest.map(|rest| (rest, Arc::clone(&entry))));
        }
        self.made = left;
    }

    /// An entry made a range.
    pub(super) fn set(&mut self, range: &Range<u64>, entry: &Arc<Entry>) {
        self.clear(range);
        let place = self.made.partition_point(|(made, _)| made.start < range.start);
        self.made.insert(place, (range.clone(), Arc::clone(entry)));
    }

    /// The pieces of a range, in order and without gap, and the entry that made each.
    pub(super) fn over(&self, range: &Range<u64>) -> Vec<(Range<u64>, Option<Arc<Entry>>)> {
        let (mut pieces, mut at) = (Vec::new(), range.start);
        for (made, entry) in &self.made {
            let piece = made.start.max(at)..made.end.min(range.end);
            if piece.is_empty() {
                continue;
            }
            if at < piece.start {
                pieces.push((at..piece.start, None));
            }
            at = piece.end;
            pieces.push((piece, Some(Arc::clone(entry))));
        }
        if at < range.end {
            pieces.push((at..range.end, None));
        }
        pieces
    }

    /// The log of the first entry.
    pub(super) fn log(&self) -> Option<Arc<Log>> {
        self.made.first().map(|(_, entry)| Arc::clone(&entry.log))
    }

    /// The longest time, in nanoseconds, that it takes to repeat an entry of a range.
    pub(super) fn chain(&self, range: &Range<u64>) -> u64 {
        let inside = self.made.iter().filter(|(m, _)| m.start < range.end && range.start < m.end);
        inside.map(|(_, entry)| entry.chain()).max().unwrap_or(0)
    }
}

/// Copies of buffers in host memory, by buffer, that hold repeated results.
pub(super) struct Shadows(HashMap<u64, Allocation>);

impl Shadows {
    /// Copies a range of a buffer from its shadow.
    pub(super) fn put(&self, buffer: u64, range: &Range<u64>, host: HostBytes<'_>) {
        if let Some(shadow) = self.0.get(&buffer) {
            // SAFETY: `self` owns the shadow, which outlives the view.
            let shadow: HostBytes<'_> = unsafe { shadow.view() };
            copy(shadow, host, range);
        }
    }
}

/// Repeats entries, and all that they follow from. The error is the reason for the failure.
pub(super) fn repeat(wanted: Vec<Arc<Entry>>) -> std::result::Result<Shadows, String> {
    let mut all: Vec<Arc<Entry>> = Vec::new();
    let (mut seen, mut next) = (HashSet::new(), wanted);
    while let Some(entry) = next.pop() {
        if !seen.insert(entry.number) {
            continue;
        }
        for (_, _, source) in &entry.sources {
            if let Source::Made(earlier) = source {
                next.push(Arc::clone(earlier));
            }
        }
        all.push(entry);
    }
    all.sort_by_key(|entry| entry.number);
    tracing::info!(chunks = all.len(), "the lost results of a device are computed again");
    let mut shadows: HashMap<u64, Allocation> = HashMap::new();
    for entry in &all {
        let work = entry.work.as_ref().map_err(Clone::clone)?;
        for part in &entry.parts {
            if let std::collections::hash_map::Entry::Vacant(place) = shadows.entry(part.buffer) {
                let memory = Allocation::zeroed(part.bytes);
                place.insert(memory.ok_or("the host has no memory left to compute them again")?);
            }
        }
        let view = |buffer: &u64| {
            // SAFETY: this function owns the shadow until its end; no view is kept.
            shadows.get(buffer).map(|shadow| unsafe { shadow.view() })
        };
        for (buffer, range, source) in &entry.sources {
            if let (Source::Host(pin), Some(to)) = (source, view(buffer)) {
                pin.copy_to(range, to)?;
            }
        }
        let memory: Vec<HostBytes<'_>> = entry
            .parts
            .iter()
            .map(|part| {
                let all = view(&part.buffer).unwrap_or_else(HostBytes::empty);
                all.part(part.range.start as usize, (part.range.end - part.range.start) as usize)
            })
            .collect();
        work.repeat(&memory).map_err(|error| format!("computing them again failed: {error}"))?;
        entry.log.count_repeated();
    }
    Ok(Shadows(shadows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(log: &Arc<Log>, before: &[&Arc<Entry>]) -> Arc<Entry> {
        struct Nothing;
        impl Repeat for Nothing {
            fn repeat(&self, _: &[HostBytes<'_>]) -> Result<()> {
                Ok(())
            }
        }
        let mut recorder = Recorder::new(log);
        for earlier in before {
            recorder.sources.push((0, 0..4, Source::Made(Arc::clone(earlier))));
        }
        recorder.entry(Ok(Box::new(Nothing)))
    }

    #[test]
    fn a_range_comes_from_the_last_entry_that_made_it() {
        let log = Log::new(1 << 20);
        let (a, b) = (entry(&log, &[]), entry(&log, &[]));
        let mut origins = Origins::default();
        origins.set(&(0..100), &a);
        origins.set(&(40..60), &b);
        let number = |entry: Option<Arc<Entry>>| entry.map(|entry| entry.number);
        let over = |origins: &Origins, range: Range<u64>| -> Vec<_> {
            origins.over(&range).into_iter().map(|(r, e)| (r, number(e))).collect()
        };
        let (na, nb) = (Some(a.number), Some(b.number));
        assert_eq!(
            over(&origins, 0..120),
            [(0..40, na), (40..60, nb), (60..100, na), (100..120, None)]
        );
        origins.clear(&(50..70));
        assert_eq!(over(&origins, 45..75), [(45..50, nb), (50..70, None), (70..75, na)]);
        origins.clear(&(0..200));
        assert_eq!(over(&origins, 0..8), [(0..8, None)]);
        drop((a, b));
        assert_eq!(log.size(), (0, 0), "nobody needs them any more");
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_entries_is_dropped_on_a_small_stack() {
        let log = Log::new(1 << 40);
        let chain = || {
            let mut last = entry(&log, &[]);
            for _ in 0..100_000 {
                last = entry(&log, &[&last]);
            }
            assert_eq!(log.size().0, 100_001);
            drop(last);
        };
        std::thread::scope(|scope| {
            let small = std::thread::Builder::new().stack_size(64 << 10);
            small.spawn_scoped(scope, chain).unwrap().join().unwrap();
        });
        assert_eq!(log.size(), (0, 0));
    }

    #[test]
    fn a_full_log_takes_no_more_entries_that_can_be_repeated() {
        let log = Log::new(3 * ENTRY_BYTES);
        let all: Vec<_> = (0..5).map(|_| entry(&log, &[])).collect();
        let repeatable: Vec<bool> = all.iter().map(|entry| entry.work.is_ok()).collect();
        assert_eq!(repeatable, [true, true, true, false, false]);
        assert!(repeat(vec![Arc::clone(&all[4])]).err().unwrap().contains("no room"));
    }
}
