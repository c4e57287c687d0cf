//! Runs that are computed a second time because their device is late: whose result is taken.
//!
//! Why it is sound. A run may be redone only where no band reads what it may write in place
//! (`Plan::rerunnable`; `y = a * x + y` is never run twice). A second run writes nothing in place: it has copies of
//! all that it writes. They are put in place only when the first has *ended*: it was called off
//! and said so, or it failed. What it left half done is overwritten then, since both write the same
//! elements, and neither has read them. If the first is done after all, its result is there already, and the copies are
//! dropped. So at no time do two write to one place, and the launch does not end before the last
//! of them has.
//!
//! The policy counts the bands of a run as done when all its pieces are; between that and the
//! answer of the first run's device the run is *overtaken*. Buffers that are merged need none of
//! this: each chunk has its copy anyway, and the loser's changes are dropped.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::merge::Changes;
use crate::device::{Cancel, ChunkCost};
use crate::memory::PrivateCopy;
use crate::plan::{Task, TaskId};

/// A task whose device is done with it.
pub(crate) struct Done<'s> {
    pub(crate) device: usize,
    pub(crate) task: Task,
    pub(crate) cost: ChunkCost,
    pub(crate) copies: Vec<(usize, PrivateCopy<'s>)>,
    /// What it changed in buffers that are merged.
    pub(crate) changes: Vec<Changes>,
}

/// A task whose result was taken.
pub(crate) struct Counted {
    pub(crate) device: usize,
    pub(crate) run: Range<u32>,
    pub(crate) cost: ChunkCost,
    pub(crate) taken_over: bool,
}

/// What a launch knows of its tasks, beyond the policy.
#[derive(Default)]
pub(crate) struct Reruns<'s> {
    /// Where each task in flight can be called off: device and slot.
    pub(crate) places: HashMap<TaskId, (usize, usize)>,
    /// Pieces that are done, by the task that they redo.
    pub(crate) held: HashMap<TaskId, Vec<Done<'s>>>,
    /// Tasks all of whose pieces are done, and whose device has not answered yet.
    pub(crate) overtaken: HashSet<TaskId>,
    /// How many are just being put in place.
    pub(crate) committing: usize,
    pub(crate) counted: Vec<Counted>,
}

impl<'s> Reruns<'s> {
    /// Whether every result that counts is in place.
    pub(crate) fn settled(&self) -> bool {
        self.overtaken.is_empty() && self.committing == 0
    }

    /// Notes a task of a device, and finds it a slot.
    pub(crate) fn placed(&mut self, id: TaskId, device: usize, slots: &[Vec<Cancel<'_>>]) -> usize {
        let taken = |slot: usize| self.places.values().any(|place| *place == (device, slot));
        // A device has no more tasks in flight than slots.
        let slot = (0..slots[device].len()).find(|slot| !taken(*slot)).unwrap_or(0);
        slots[device][slot].call_off(false);
        self.places.insert(id, (device, slot));
        slot
    }

    /// A task is no longer in flight.
    pub(crate) fn released(&mut self, id: TaskId) {
        self.places.remove(&id);
    }
}
