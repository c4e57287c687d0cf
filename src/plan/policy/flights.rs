//! Flights: the runs in flight, with their devices and expected ends, and which of them are redone.
//!
//! A run that passes its expected end is expected to take half of its time so far once more. So
//! late runs move to the end of the order, and each is revised a few times only.
//!
//! A run may be *redone*: its bands go to other devices in pieces while its own device still works
//! on it. If the run ends first, its pieces become *void*; if all pieces end first, the run does.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

/// Identifies one task. Unique in a launch: a run that is handed out again gets a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TaskId(pub(crate) u64);

#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) device: usize,
    pub(super) run: Range<u32>,
    pub(super) begun: f64,
    /// When it is expected to end.
    pub(super) end: f64,
    /// The run that this flight redoes a piece of.
    pub(super) redoes: Option<TaskId>,
    /// Whether its result does not count.
    pub(super) void: bool,
}

/// A run that is redone.
#[derive(Debug)]
pub(super) struct Redo {
    pub(super) run: Range<u32>,
    /// The ranges that no device redoes yet.
    pub(super) waiting: Vec<Range<u32>>,
    /// The number of bands that no complete piece covers.
    pub(super) open: u32,
    pub(super) pieces: Vec<TaskId>,
}

#[derive(Debug, Default)]
pub(super) struct Flights {
    next: u64,
    all: HashMap<TaskId, Flight>,
    /// The flights that are not void, by expected end.
    ends: BTreeSet<(u64, TaskId)>,
    pub(super) redos: HashMap<TaskId, Redo>,
}

/// A key in the order of times. The bits of floats that are not negative have that order.
fn key(time: f64) -> u64 {
    time.max(0.0).to_bits()
}

impl Flights {
    pub(super) fn add(&mut self, flight: Flight) -> TaskId {
        let id = TaskId(self.next);
        self.next += 1;
        self.ends.insert((key(flight.end), id));
        if let Some(redo) = flight.redoes.and_then(|original| self.redos.get_mut(&original)) {
            redo.pieces.push(id);
        }
        self.all.insert(id, flight);
        id
    }

    pub(super) fn remove(&mut self, id: TaskId) -> Option<Flight> {
        let flight = self.all.remove(&id)?;
        self.ends.remove(&(key(flight.end), id));
        Some(flight)
    }

    pub(super) fn get(&self, id: TaskId) -> Option<&Flight> {
        self.all.get(&id)
    }

    /// Whether all flights are void, or there are none.
    pub(super) fn is_idle(&self) -> bool {
        self.ends.is_empty()
    }

    /// Makes a flight void. `false` if it is not in flight.
    pub(super) fn annul(&mut self, id: TaskId) -> bool {
        let Some(flight) = self.all.get_mut(&id) else { return false };
        flight.void = true;
        self.ends.remove(&(key(flight.end), id));
        true
    }

    /// Moves the expected ends of flights that should have ended. Calls `late` with the device and
    /// the delay of each.
    pub(super) fn revise(&mut self, now: f64, mut late: impl FnMut(usize, f64)) {
        while let Some(&(end, id)) = self.ends.first()
            && end <= key(now)
        {
            self.ends.remove(&(end, id));
            let Some(flight) = self.all.get_mut(&id) else { continue };
            let before = flight.end;
            flight.end = now + ((now - flight.begun) * 0.5).max(1e-9);
            late(flight.device, flight.end - before);
            self.ends.insert((key(flight.end), id));
        }
    }

    /// The straggler: the run that is expected to end last, of those that are not redone and are no
    /// piece.
    pub(super) fn last_single(&self) -> Option<(TaskId, &Flight)> {
        let single = |id: &TaskId| {
            let flight = self.all.get(id)?;
            (flight.redoes.is_none() && !self.redos.contains_key(id)).then_some((*id, flight))
        };
        self.ends.iter().rev().take(64).find_map(|(_, id)| single(id))
    }

    /// The earliest expected end of a flight.
    pub(super) fn first_end(&self) -> Option<f64> {
        self.ends.first().map(|(end, _)| f64::from_bits(*end))
    }

    /// Begins to redo a run.
    pub(super) fn redo(&mut self, id: TaskId) {
        if let Some(flight) = self.all.get(&id) {
            let run = flight.run.clone();
            let open = run.end - run.start;
            let redo = Redo { waiting: vec![run.clone()], run, open, pieces: Vec::new() };
            self.redos.insert(id, redo);
        }
    }
}
