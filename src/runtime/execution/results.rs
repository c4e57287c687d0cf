//! Handles the results and the failures of chunks.
//!
//! The outcome of a chunk reaches the policy, the reruns and the failures in one step, under their mutex.
//! Bytes are put in place outside of the mutex.

use std::sync::PoisonError;

use super::rerun::{Counted, Done, Next, Reruns};
use super::running::Running;
use super::shared::Shared;
use crate::error::{Error, FailureKind};
use crate::plan::Task;
use crate::runtime::report::{FailureEvent, Remedy};

/// Takes the outcomes of a launch's chunks.
#[derive(Clone, Copy)]
pub(super) struct Results<'x, 's> {
    pub(super) running: &'s Running<'s>,
    pub(super) shared: &'x Shared<'s>,
}

impl<'s> Results<'_, 's> {
    /// Takes a completed task.
    pub(super) fn done(&self, done: Done<'s>) {
        let mut state = self.shared.lock();
        let id = done.task.id;
        let seconds = (!done.cost.compiled).then_some(done.cost.busy.as_secs_f64());
        let ended = state.policy.complete(id, seconds, self.shared.now());
        for void in &ended.void {
            if let Some((device, slot)) = state.reruns.place(*void) {
                self.shared.slots[device][slot].call_off(true);
            }
        }
        match state.reruns.done(done, ended.kept, ended.overtaken.is_some()) {
            Next::Count(done, dropped) => {
                self.count(&done, false, &mut state.reruns);
                dropped.iter().chain([&done]).for_each(|one| self.give_back(one));
            }
            Next::Wait => {}
            Next::Drop(done) => self.give_back(&done),
            Next::Commit(pieces) => {
                drop(state);
                return self.commit(&pieces);
            }
        }
        self.shared.tell(state);
    }

    /// Takes a task that ended without a result: it was called off, or it failed. If it was overtaken, the
    /// pieces of its second run are its result. `others`: the other runs in flight on the device.
    pub(super) fn no_result(&self, device: usize, task: &Task, error: Error, others: usize) {
        let (id, shared) = (task.id, self.shared);
        let place = shared.lock().reruns.place(id);
        let whole =
            place.is_none_or(|(device, slot)| shared.slots[device][slot].launch_is_cancelled());
        if matches!(error, Error::Cancelled) && !whole {
            let mut state = shared.lock();
            state.policy.withdraw(id, shared.now());
            state.reruns.released(id);
            shared.tell(state);
        } else {
            self.failed(device, task, error, others);
        }
        let pieces = shared.lock().reruns.without_result(id);
        if let Some(pieces) = pieces {
            self.commit(&pieces);
        }
    }

    /// Takes a failed task. `others`: the other runs in flight on the device.
    pub(super) fn failed(&self, device: usize, task: &Task, error: Error, others: usize) {
        let (planned, shared) = (self.running.planned, self.shared);
        let member = &planned.checked.devices[device];
        let in_place = member.device.in_place();
        let (mut state, run, now) = (shared.lock(), &task.run, shared.now());
        state.reruns.released(task.id);
        let endless = matches!(error, Error::EndlessLoop { .. }).then(|| error.clone());
        let (id, kind, cause) = match error.of_device() {
            Ok(failure) => failure,
            Err(error) => {
                // An error of the kernel, a cancellation or a bug: another device would not help.
                state.policy.fail(task.id, now);
                state.stopped.get_or_insert(error);
                shared.tell(state);
                return;
            }
        };
        state.failures.endless.extend(endless);
        let bands = run.end - run.start;
        let half = || planned.workgroups(&(run.start..run.start + bands / 2));
        let remedy = state.failures.remedy(device, kind, in_place, (bands, others), half);
        if matches!(remedy, Remedy::OneAtATime | Remedy::SmallerChunks(_)) {
            state.policy.give_back(task.id, now);
        } else {
            state.failures.causes.push(format!("  {id} ({kind}): {cause}"));
            // A device that works in place may have panicked in the middle of the run.
            if in_place && kind == FailureKind::Panicked && !planned.can_be_repeated(run) {
                let causes = state.failures.causes.clone();
                let kernel = planned.plan.kernel.to_string();
                state.stopped.get_or_insert(Error::NoDevice { kernel, causes });
            }
            state.policy.fail(task.id, now);
        }
        let event = FailureEvent { device: id, kind, cause, remedy };
        planned.checked.resources.fleet.record_failure(device, member, &event);
        state.failures.events.push(event);
        shared.tell(state);
    }

    /// Puts pieces in place. No other worker works on the elements that they wrote.
    fn commit(&self, pieces: &[Done<'s>]) {
        let Running { chunks, residency, .. } = self.running;
        for piece in pieces {
            residency.preserve(&piece.task.run);
            chunks.put_in_place(&piece.task.run, &piece.copies);
            residency.put_on_host(&piece.task.run);
        }
        let mut state = self.shared.lock();
        for piece in pieces {
            self.count(piece, true, &mut state.reruns);
            self.give_back(piece);
        }
        state.reruns.committed();
        self.shared.tell(state);
    }

    /// Counts a task, and keeps its changes in merged buffers.
    fn count(&self, done: &Done<'_>, taken_over: bool, reruns: &mut Reruns<'_>) {
        let mut all = self.shared.changes.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend(done.changes.iter().cloned());
        let (device, run, cost) = (done.device, done.task.run.clone(), done.cost);
        self.shared.job.advance(self.running.planned.workgroups(&run));
        reruns.counted.push(Counted { device, run, cost, taken_over });
    }

    fn give_back(&self, done: &Done<'_>) {
        self.running.chunks.give_back(&done.copies);
    }
}
