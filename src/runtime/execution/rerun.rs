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
pub(super) struct Done<'s> {
    pub(super) device: usize,
    pub(super) task: Task,
    pub(super) cost: ChunkCost,
    pub(super) copies: Vec<(usize, PrivateCopy<'s>)>,
    /// What it changed in buffers that are merged.
    pub(super) changes: Vec<Changes>,
}

/// A task whose result was taken.
pub(super) struct Counted {
    pub(super) device: usize,
    pub(super) run: Range<u32>,
    pub(super) cost: ChunkCost,
    pub(super) taken_over: bool,
}

/// What a launch knows of its tasks, beyond the policy.
#[derive(Default)]
pub(super) struct Reruns<'s> {
    /// Where each task in flight can be called off: device and slot.
    places: HashMap<TaskId, (usize, usize)>,
    /// Pieces that are done, by the task that they redo.
    held: HashMap<TaskId, Vec<Done<'s>>>,
    /// Tasks all of whose pieces are done, and whose device has not answered yet.
    overtaken: HashSet<TaskId>,
    /// How many are just being put in place.
    committing: usize,
    pub(super) counted: Vec<Counted>,
}

impl<'s> Reruns<'s> {
    /// Whether every result that counts is in place.
    pub(super) fn settled(&self) -> bool {
        self.overtaken.is_empty() && self.committing == 0
    }

    /// Notes a task of a device, and finds it a slot.
    pub(super) fn placed(&mut self, id: TaskId, device: usize, slots: &[Vec<Cancel<'_>>]) -> usize {
        let taken = |slot: usize| self.places.values().any(|place| *place == (device, slot));
        // A device has no more tasks in flight than slots.
        let slot = (0..slots[device].len()).find(|slot| !taken(*slot)).unwrap_or(0);
        slots[device][slot].call_off(false);
        self.places.insert(id, (device, slot));
        slot
    }

    /// A task is no longer in flight.
    pub(super) fn released(&mut self, id: TaskId) {
        self.places.remove(&id);
    }

    /// The device and the slot of a task in flight.
    pub(super) fn place(&self, id: TaskId) -> Option<(usize, usize)> {
        self.places.get(&id).copied()
    }

    /// A device is done with a task. The policy says whether its result was `kept`, and whether it
    /// was the last that the first run's bands needed, which thereby is `overtaken`.
    pub(super) fn done(&mut self, done: Done<'s>, kept: bool, overtaken: bool) -> Next<'s> {
        let id = done.task.id;
        self.released(id);
        match done.task.redoes {
            // It was first, or it was done before it could be called off.
            None if kept || self.overtaken.remove(&id) => {
                Next::Count(done, self.held.remove(&id).unwrap_or_default())
            }
            Some(original) if kept => {
                self.held.entry(original).or_default().push(done);
                if !overtaken {
                    return Next::Wait;
                }
                if self.places.contains_key(&original) {
                    self.overtaken.insert(original);
                    return Next::Wait;
                }
                // The first run failed before.
                self.committing += 1;
                Next::Commit(self.held.remove(&original).unwrap_or_default())
            }
            _ => Next::Drop(done),
        }
    }

    /// A task ended without a result. If it was overtaken, the pieces of its second run are to be
    /// put in place.
    pub(super) fn without_result(&mut self, id: TaskId) -> Option<Vec<Done<'s>>> {
        self.overtaken.remove(&id).then(|| {
            self.committing += 1;
            self.held.remove(&id).unwrap_or_default()
        })
    }

    /// Pieces have been put in place.
    pub(super) fn committed(&mut self) {
        self.committing -= 1;
    }
}

/// What is to be done with the result of a task.
pub(super) enum Next<'s> {
    /// The result counts. These second results of the same run do not.
    Count(Done<'s>, Vec<Done<'s>>),
    /// The result is kept until the first run has ended.
    Wait,
    /// These results are put in place.
    Commit(Vec<Done<'s>>),
    /// The result does not count.
    Drop(Done<'s>),
}
