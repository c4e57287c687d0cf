//! The worker of a device: takes runs of bands from the policy, has its device compute them, and
//! says how it went.
//!
//! The protocol. The policy lies under one mutex. A worker takes a run of bands, starts it on its
//! device outside the mutex, and keeps up to `Device::depth` runs in flight; then it finishes the
//! oldest, and tells the policy. A worker with nothing in flight and nothing to take waits on the
//! condition variable: a run may still come back from a device that fails. Every change of the
//! policy notifies all. The workers end when the policy is finished, when their device was put
//! aside, or when a mistake of the kernel (an endless loop) or a cancellation has stopped the
//! launch.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::completion::{done, no_result};
use super::recording;
use super::recovery::failed;
use super::reruns::Done;
use super::residency::Ended;
use super::running::Running;
use super::shared::{Seen, Shared};
use crate::device::{self, DeviceInfo, Held};
use crate::error::{Error, Result};
use crate::memory::{Entry, PrivateCopy};
use crate::plan::{Next, Task};
use crate::runtime::fleet::guarded;

/// Seconds that a chunk on a GPU takes at most, if it can be cut finer: many systems reset one that
/// computes for two, and a screen that hangs on it does not move meanwhile.
const WATCHDOG: f64 = 0.5;

/// A chunk that a device has been given.
struct InFlight<'a, 's> {
    task: Task,
    started: Box<dyn device::Running + 'a>,
    copies: Vec<(usize, PrivateCopy<'s>)>,
    held: Vec<Option<Held>>,
    /// How long it took to bring what was missing.
    brought: Duration,
    /// How to compute again what stays on the device.
    origin: Option<Arc<Entry>>,
}

pub(crate) fn worker<'s>(running: &'s Running<'_>, index: usize, shared: &Shared<'s>) {
    let device = &*running.planned.checked.devices[index].device;
    let mut flight: VecDeque<InFlight<'_, 's>> = VecDeque::new();
    let mut last = Instant::now();
    loop {
        let mut seen = None;
        while flight.len() < shared.lock().failures.depth(index, device.depth().max(1)) {
            let (task, slot) = match next(running, index, device.info(), shared) {
                Ok(next) => next,
                Err(now) => {
                    seen = Some(now);
                    break;
                }
            };
            let (run, second) = (&task.run, task.redoes.is_some());
            let begun = Instant::now();
            let origin =
                if second { None } else { recording::record(index, run, &[running.logged()], 1) };
            let held = match guarded(device, || {
                running.residency.bring(&running.planned, index, run, second)
            }) {
                Ok(held) => held,
                Err(error) => {
                    no_result(running, index, &task, error, flight.len(), shared);
                    continue;
                }
            };
            let brought = begun.elapsed();
            let copies = match running.private_copies(&task, device.info()) {
                Ok(copies) => copies,
                Err(error) => {
                    running.residency.ended(&running.planned, index, run, &held, Ended::NotBegun);
                    failed(running, index, &task, error, flight.len(), shared);
                    continue;
                }
            };
            let deadline = deadline(running, index, run, shared);
            let cancel = Some(&shared.slots[index][slot]);
            let chunk = running.planned.chunk(run, &copies, cancel, deadline);
            match guarded(device, || device.start_with(chunk, &held)) {
                Ok(started) => {
                    let one = InFlight { task, started, copies, held, brought, origin };
                    flight.push_back(one);
                }
                Err(error) => {
                    // A device that only refused the chunk has not begun it.
                    let refused = matches!(
                        &error, Error::Device { kind, .. } if !kind.quarantines()
                    );
                    let begun = !refused && !second;
                    let how = if begun { Ended::Failed } else { Ended::NotBegun };
                    running.residency.ended(&running.planned, index, run, &held, how);
                    no_result(running, index, &task, error, flight.len(), shared);
                    running.give_back(&copies);
                }
            }
        }
        let Some(InFlight { task, started, copies, held, brought, origin }) = flight.pop_front()
        else {
            if shared.wait_for_more(index, seen) {
                last = Instant::now();
                continue;
            }
            return;
        };
        let outcome = guarded(device, || started.finish());
        // What was computed a second time lies in copies.
        let how = match &outcome {
            _ if task.redoes.is_some() => Ended::NotBegun,
            Ok(cost) => {
                origin.iter().for_each(|origin| origin.took(cost.busy));
                Ended::Done(origin.as_ref())
            }
            Err(_) => Ended::Failed,
        };
        running.residency.ended(&running.planned, index, &task.run, &held, how);
        match outcome {
            Ok(mut cost) => {
                // A chunk that waited behind another in the device's queue was not busy then.
                cost.busy = (cost.busy + brought).min(last.elapsed());
                last = Instant::now();
                let changes = running.changes(&task.run, &copies);
                done(running, Done { device: index, task, cost, copies, changes }, shared);
            }
            Err(error) => {
                no_result(running, index, &task, error, flight.len(), shared);
                running.give_back(&copies);
            }
        }
    }
}

/// The next task for a device, or the state of affairs in which there was none.
fn next(
    running: &Running<'_>,
    index: usize,
    info: &DeviceInfo,
    shared: &Shared<'_>,
) -> Result<(Task, usize), Seen> {
    let mut state = shared.lock();
    if shared.job.is_cancelled() && !state.policy.finished() {
        state.stopped.get_or_insert(Error::Cancelled);
        state.turn += 1;
        shared.changed.notify_all();
    }
    if state.stopped.is_some() {
        return Err(Seen { turn: state.turn, until: None });
    }
    let mut most = state.failures.most(index);
    if !info.kind.shares_cpu_cores()
        && let Some(rate) = state.policy.rate(index)
    {
        most = most.min((rate * WATCHDOG).clamp(1.0, f64::from(u32::MAX)) as u32);
    }
    let (memory, kernel) = (running.planned.chunk_memory(index), &running.planned.checked.kernel);
    let stays = running.residency.stays_on(&running.planned, index);
    // What stays on the device is there already.
    let mut fits = |run: &Range<u32>| {
        run.end - run.start <= most
            && (stays || running.planned.plan.fits(kernel, run, info, memory).is_ok())
    };
    match state.policy.take(index, shared.now(), &mut fits) {
        Next::Run(task) => {
            let slot = state.reruns.placed(task.id, index, &shared.slots);
            Ok((task, slot))
        }
        Next::Wait(until) => Err(Seen { turn: state.turn, until }),
    }
}

/// How long a chunk may take: much longer than by the measured speed, and never too short.
fn deadline(
    running: &Running<'_>,
    device: usize,
    run: &Range<u32>,
    shared: &Shared,
) -> Option<Duration> {
    let least = running.planned.checked.resources.patience;
    let software = running.planned.checked.devices[device].device.info().kind.shares_cpu_cores();
    let rate = shared.lock().policy.rate(device);
    let Some(rate) = rate.filter(|rate| *rate > 0.0) else {
        // Four times what a chunk of known speed would have; else it is the device's to say.
        return least.map(|least| least * 4);
    };
    // What computes on the CPU's cores may be kept from them by others.
    let usual = Duration::from_secs(if software { 600 } else { 30 });
    let expected = f64::from(run.end - run.start) / rate;
    let long = Duration::try_from_secs_f64(expected * 30.0).unwrap_or(Duration::MAX);
    Some(long.max(least.unwrap_or(usual)))
}
