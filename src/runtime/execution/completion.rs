//! A task has ended: its result is counted, held until the run that it redoes has ended, or dropped. `reruns` says why that is
//! sound.

use std::sync::PoisonError;

use super::merge;
use super::recovery::failed;
use super::reruns::{Counted, Done, Reruns};
use super::running::Running;
use super::shared::Shared;
use crate::error::Error;
use crate::plan::{Merge, Task};

/// A device is done with a task.
pub(crate) fn done<'s>(running: &'s Running<'_>, done: Done<'s>, shared: &Shared<'s>) {
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
            count(running, &done, false, reruns, shared);
            running.give_back(&done.copies);
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
    dropped.iter().for_each(|done| running.give_back(&done.copies));
    if committed.is_empty() {
        shared.tell(state);
    } else {
        drop(state);
        commit(running, committed, shared);
    }
}

/// A task of a device that has so many others in flight ended without a result: it was called
/// off, or it failed. If it was overtaken, the pieces are its result.
pub(crate) fn no_result<'s>(
    running: &'s Running<'_>,
    device: usize,
    task: &Task,
    error: Error,
    others: usize,
    shared: &Shared<'s>,
) {
    let id = task.id;
    let place = shared.lock().reruns.places.get(&id).copied();
    let whole = place.is_none_or(|(device, slot)| shared.slots[device][slot].launch_is_cancelled());
    if matches!(error, Error::Cancelled) && !whole {
        let mut state = shared.lock();
        state.policy.withdraw(id, shared.now());
        state.reruns.released(id);
        shared.tell(state);
    } else {
        failed(running, device, task, error, others, shared);
    }
    let mut state = shared.lock();
    if state.reruns.overtaken.remove(&id) {
        let pieces = state.reruns.held.remove(&id).unwrap_or_default();
        state.reruns.committing += 1;
        drop(state);
        commit(running, pieces, shared);
    }
}

/// Puts pieces in place. Nobody else works on what they wrote.
fn commit<'s>(running: &'s Running<'_>, pieces: Vec<Done<'s>>, shared: &Shared<'s>) {
    let bindings = &running.planned.checked.kernel.signature().bindings;
    for piece in &pieces {
        running.residency.preserve(&running.planned, &piece.task.run);
        for (id, copy) in &piece.copies {
            if *running.planned.plan.merge(*id) == Merge::Apart {
                let written = running.planned.plan.footprint(&piece.task.run, *id).may_write;
                merge::put_back(copy.bytes, running.planned.memory[*id], &bindings[*id], &written);
            }
        }
        running.residency.put_on_host(&running.planned, &piece.task.run);
    }
    let mut state = shared.lock();
    for piece in &pieces {
        count(running, piece, true, &mut state.reruns, shared);
        running.give_back(&piece.copies);
    }
    state.reruns.committing -= 1;
    shared.tell(state);
}

/// Counts a task, and keeps what it changed in buffers that are merged.
fn count(
    running: &Running<'_>,
    done: &Done<'_>,
    taken_over: bool,
    reruns: &mut Reruns<'_>,
    shared: &Shared<'_>,
) {
    let mut all = shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
    all.extend(done.changes.iter().cloned());
    let (device, run, cost) = (done.device, done.task.run.clone(), done.cost);
    shared
        .job
        .advance(u64::try_from(running.planned.plan.groups(&run).workgroups()).unwrap_or(u64::MAX));
    reruns.counted.push(Counted { device, run, cost, taken_over });
}
