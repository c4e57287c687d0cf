//! Second runs of stragglers, the runs whose device is late: which result counts.
//!
//! Second runs are sound for these reasons. A run may be redone only if no band reads elements that it may
//! write in place (`Plan::rerunnable`; `y = a * x + y` is never run twice). A second run writes to copies of
//! all its outputs. They are put in place only when the first run has *ended*: it was called off and
//! confirmed that, or it failed. Its partial results are overwritten then, since both runs write the same
//! elements, and neither reads them. If the first run is done after all, its result is in place, and the
//! copies are dropped. So two runs never write to one place at the same time, and the launch ends only after
//! the last of them has.
//!
//! The policy counts the bands of a run as done when all pieces of its second run are. From then to the
//! answer of the first run's device, the run is *overtaken*. Merged buffers need none of this: each chunk has
//! its own copy anyway, and the changes of the run that does not count are dropped.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::merge::Changes;
use crate::device::{Cancel, ChunkCost};
use crate::memory::PrivateCopy;
use crate::plan::{Task, TaskId};

/// A task that its device has completed.
pub(super) struct Done<'s> {
    pub(super) device: usize,
    pub(super) task: Task,
    pub(super) cost: ChunkCost,
    pub(super) copies: Vec<(usize, PrivateCopy<'s>)>,
    /// Its changes in merged buffers.
    pub(super) changes: Vec<Changes>,
}

/// A task whose result counts.
pub(super) struct Counted {
    pub(super) device: usize,
    pub(super) run: Range<u32>,
    pub(super) cost: ChunkCost,
    pub(super) taken_over: bool,
}

/// The state of a launch's tasks, beyond that of the policy.
#[derive(Default)]
pub(super) struct Reruns<'s> {
    /// The device and slot of each task in flight, for calling it off.
    places: HashMap<TaskId, (usize, usize)>,
    /// Completed pieces of second runs, by the task that they redo.
    held: HashMap<TaskId, Vec<Done<'s>>>,
    /// Overtaken tasks: the second run is done, and the device of the first has not answered yet.
    overtaken: HashSet<TaskId>,
    /// The number of second runs that are being put in place.
    committing: usize,
    pub(super) counted: Vec<Counted>,
}

impl<'s> Reruns<'s> {
    /// Whether every result that counts is in place.
    pub(super) fn settled(&self) -> bool {
        self.overtaken.is_empty() && self.committing == 0
    }

    /// Adds a task in flight on a device, and returns its slot.
    pub(super) fn placed(&mut self, id: TaskId, device: usize, slots: &[Vec<Cancel<'_>>]) -> usize {
        let taken = |slot: usize| self.places.values().any(|place| *place == (device, slot));
        // A device has no more tasks in flight than slots.
        let slot = (0..slots[device].len()).find(|slot| !taken(*slot)).unwrap_or(0);
        slots[device][slot].call_off(false);
        self.places.insert(id, (device, slot));
        slot
    }

    /// Removes a task from those in flight.
    pub(super) fn released(&mut self, id: TaskId) {
        self.places.remove(&id);
    }

    /// The device and the slot of a task in flight.
    pub(super) fn place(&self, id: TaskId) -> Option<(usize, usize)> {
        self.places.get(&id).copied()
    }

    /// Takes a completed task. The policy says whether its result is `kept`, and whether it completes the
    /// second run, so that the first is `overtaken`.
    pub(super) fn done(&mut self, done: Done<'s>, kept: bool, overtaken: bool) -> Next<'s> {
        let id = done.task.id;
        self.released(id);
        match done.task.redoes {
            // It was first, or it completed before it could be called off.
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
                // The first run has failed already.
                self.committing += 1;
                Next::Commit(self.held.remove(&original).unwrap_or_default())
            }
            _ => Next::Drop(done),
        }
    }

    /// Takes a task that ended without a result. If it was overtaken, returns the pieces of its second run,
    /// which have to be put in place.
    pub(super) fn without_result(&mut self, id: TaskId) -> Option<Vec<Done<'s>>> {
        self.overtaken.remove(&id).then(|| {
            self.committing += 1;
            self.held.remove(&id).unwrap_or_default()
        })
    }

    /// Notes that a second run has been put in place.
    pub(super) fn committed(&mut self) {
        self.committing -= 1;
    }
}

/// What to do with the result of a task.
pub(super) enum Next<'s> {
    /// The result counts. These pieces of its second run do not.
    Count(Done<'s>, Vec<Done<'s>>),
    /// The result is kept until the first run has ended.
    Wait,
    /// These pieces are put in place.
    Commit(Vec<Done<'s>>),
    /// The result does not count.
    Drop(Done<'s>),
}
