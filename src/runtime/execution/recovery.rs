//! A run of bands that failed: what becomes of it, and of its device in this launch.
//!
//! A chunk that failed changed nothing in host memory, or can be computed again from what is there ([`Planned::again`]): it
//! goes back to the queue. What becomes of its device follows from the kind of the failure:
//!
//! - out of memory: it gets one chunk at a time, then smaller ones, then none in this launch;
//! - rejected, refused: it gets no more of this launch;
//! - anything else: it is quarantined.
//!
//! A launch that has lost all its devices ends with all the causes, in the order in which they were met. Faults of the
//! kernel, and cancellation, end a launch at once. Which device is asked instead is the policy's decision.
//!
//! [`Planned::again`]: super::planned::Planned::again

use super::running::Running;
use super::shared::Shared;
use crate::error::{Error, FailureKind};
use crate::plan::Task;
use crate::runtime::fleet::Quarantined;
use crate::runtime::report::{FailureEvent, Remedy};

/// A run failed on a device that has so many others in flight.
pub(crate) fn failed(
    running: &Running<'_>,
    device: usize,
    task: &Task,
    error: Error,
    others: usize,
    shared: &Shared<'_>,
) {
    let member = &running.planned.checked.devices[device];
    let in_place = member.device.in_place();
    let (mut state, run, now) = (shared.lock(), &task.run, shared.now());
    state.reruns.released(task.id);
    let endless = matches!(error, Error::EndlessLoop { .. }).then(|| error.clone());
    let (id, kind, cause) = match error.of_device() {
        Ok(failure) => failure,
        Err(error) => {
            // A fault of the kernel, a cancellation or a bug: another device would not do
            // better.
            state.policy.fail(task.id, now);
            state.stopped.get_or_insert(error);
            shared.tell(state);
            return;
        }
    };
    state.failures.endless.extend(endless);
    let bands = run.end - run.start;
    let remedy = match kind {
        FailureKind::OutOfMemory if others > 0 => Remedy::OneAtATime,
        FailureKind::OutOfMemory if bands > 1 => {
            let half = run.start..run.start + bands / 2;
            let groups = running.planned.plan.groups(&half).workgroups();
            Remedy::SmallerChunks(u64::try_from(groups).unwrap_or(u64::MAX))
        }
        kind if kind.quarantines() && !in_place => Remedy::Quarantined,
        _ => Remedy::PutAside,
    };
    match remedy {
        Remedy::OneAtATime => {
            state.failures.one_at_a_time[device] = true;
            state.policy.give_back(task.id, now);
        }
        Remedy::SmallerChunks(_) => {
            state.failures.most[device] = Some(bands / 2);
            state.policy.give_back(task.id, now);
        }
        Remedy::PutAside | Remedy::Quarantined | Remedy::Recomputed => {
            state.failures.causes.push(format!("  {id} ({kind}): {cause}"));
            // A panic may have come in the middle of it.
            if in_place && kind == FailureKind::Panicked && !running.planned.again(run) {
                let causes = state.failures.causes.clone();
                let kernel = running.planned.plan.kernel.clone();
                state.stopped.get_or_insert(Error::NoDevice { kernel: kernel.to_string(), causes });
            }
            state.policy.fail(task.id, now);
        }
    }
    if remedy == Remedy::Quarantined {
        let why = Quarantined { device: id.clone(), kind, cause: cause.clone() };
        running.planned.checked.resources.fleet.quarantine(device, &member.device, why);
    }
    tracing::warn!(device = id, %kind, cause, %remedy, "a device failed");
    state.failures.events.push(FailureEvent { device: id, kind, cause, remedy });
    shared.tell(state);
}
