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
use std::sync::PoisonError;

use super::merge::{self, Changes};
use super::session::Session;
use super::worker::Shared;
use crate::device::{Cancel, ChunkCost};
use crate::error::Error;
use crate::memory::PrivateCopy;
use crate::plan::{Merge, Task, TaskId};

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
}

impl Session<'_> {
    /// A device is done with a task.
    pub(super) fn done<'s>(&'s self, done: Done<'s>, shared: &Shared<'s>) {
        let mut state = shared.lock();
        let id = done.task.id;
        let seconds = (!done.cost.compiled).then_some(done.cost.busy.as_secs_f64());
        let ended = state.policy.complete(id, seconds, shared.now());
        state.reruns.released(id);
        for void in &ended.void {
            if let Some(&(device, slot)) = state.reruns.places.get(void) {
                shared.slots[device][slot].call_off(true);
            }
        }
        let mut dropped = Vec::new();
        let mut committed = Vec::new();
        let reruns = &mut state.reruns;
        match done.task.redoes {
            // It was first, or it was done before it could be called off.
            None if ended.kept || reruns.overtaken.remove(&id) => {
                dropped = reruns.held.remove(&id).unwrap_or_default();
                self.take(&done, false, reruns, shared);
                self.give_back(&done.copies);
            }
            Some(original) if ended.kept => {
                reruns.held.entry(original).or_default().push(done);
                if ended.overtaken.is_some() {
                    if reruns.places.contains_key(&original) {
                        reruns.overtaken.insert(original);
                    } else {
                        // It failed before.
                        committed = reruns.held.remove(&original).unwrap_or_default();
                        reruns.committing += 1;
                    }
                }
            }
            _ => dropped.push(done),
        }
        dropped.iter().for_each(|done| self.give_back(&done.copies));
        if committed.is_empty() {
            shared.tell(state);
        } else {
            drop(state);
            self.commit(committed, shared);
        }
    }

    /// A task of a device that has so many others in flight ended without a result: it was called
    /// off, or it failed. If it was overtaken, the pieces are its result.
    pub(super) fn no_result<'s>(
        &'s self,
        device: usize,
        task: &Task,
        error: Error,
        others: usize,
        shared: &Shared<'s>,
    ) {
        let id = task.id;
        let place = shared.lock().reruns.places.get(&id).copied();
        let whole =
            place.is_none_or(|(device, slot)| shared.slots[device][slot].launch_is_cancelled());
        if matches!(error, Error::Cancelled) && !whole {
            let mut state = shared.lock();
            state.policy.withdraw(id, shared.now());
            state.reruns.released(id);
            shared.tell(state);
        } else {
            self.failed(device, task, error, others, shared);
        }
        let mut state = shared.lock();
        if state.reruns.overtaken.remove(&id) {
            let pieces = state.reruns.held.remove(&id).unwrap_or_default();
            state.reruns.committing += 1;
            drop(state);
            self.commit(pieces, shared);
        }
    }

    /// Puts pieces in place. Nobody else works on what they wrote.
    fn commit<'s>(&'s self, pieces: Vec<Done<'s>>, shared: &Shared<'s>) {
        let bindings = &self.checked.kernel.signature().bindings;
        for piece in &pieces {
            self.preserve(&piece.task.run);
            for (id, copy) in &piece.copies {
                if *self.plan.merge(*id) == Merge::Apart {
                    let written = self.plan.footprint(&piece.task.run, *id).may_write;
                    merge::put_back(copy.bytes, self.memory[*id], &bindings[*id], &written);
                }
            }
            self.put_on_host(&piece.task.run);
        }
        let mut state = shared.lock();
        for piece in &pieces {
            self.take(piece, true, &mut state.reruns, shared);
            self.give_back(&piece.copies);
        }
        state.reruns.committing -= 1;
        shared.tell(state);
    }

    /// Counts a task, and keeps what it changed in buffers that are merged.
    fn take(
        &self,
        done: &Done<'_>,
        taken_over: bool,
        reruns: &mut Reruns<'_>,
        shared: &Shared<'_>,
    ) {
        let mut all = shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(done.changes.iter().cloned());
        let (device, run, cost) = (done.device, done.task.run.clone(), done.cost);
        shared.job.advance(u64::try_from(self.plan.groups(&run).workgroups()).unwrap_or(u64::MAX));
        reruns.counted.push(Counted { device, run, cost, taken_over });
    }
}
