//! The worker of a device: takes runs of bands from the policy, has its device compute them, and
//! says how it went.
//!
//! A worker takes a run of bands under the mutex of `Shared`, starts it on its device outside of it,
//! and keeps up to `Device::depth` runs in flight; then it finishes the oldest, and hands over the
//! outcome (`results`).

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::log;
use super::rerun::Done;
use super::residency::Ended;
use super::results::Results;
use super::running::Running;
use super::shared::{Seen, Shared};
use crate::device::{self, Device, Held};
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
    running: Box<dyn device::Running + 'a>,
    copies: Vec<(usize, PrivateCopy<'s>)>,
    held: Vec<Option<Held>>,
    /// How long it took to bring what was missing.
    brought: Duration,
    /// How to compute again what stays on the device.
    origin: Option<Arc<Entry>>,
}

/// The worker of one device.
pub(super) struct Worker<'x, 's> {
    running: &'s Running<'s>,
    shared: &'x Shared<'s>,
    index: usize,
    device: &'s dyn Device,
}

impl<'x, 's> Worker<'x, 's> {
    pub(super) fn new(
        running: &'s Running<'s>,
        shared: &'x Shared<'s>,
        index: usize,
    ) -> Worker<'x, 's> {
        let device = &*running.planned.checked.devices[index].device;
        Worker { running, shared, index, device }
    }

    /// Works until there is nothing left that the device might do.
    pub(super) fn run(&self) {
        let Worker { running, shared, index, device } = *self;
        let Running { chunks, residency, .. } = running;
        let results = Results { running, shared };
        let mut flight: VecDeque<InFlight<'_, 's>> = VecDeque::new();
        let mut last = Instant::now();
        loop {
            let mut seen = None;
            while flight.len() < shared.lock().failures.depth(index, device.depth().max(1)) {
                let (task, slot) = match self.next() {
                    Ok(next) => next,
                    Err(now) => {
                        seen = Some(now);
                        break;
                    }
                };
                let (run, second) = (&task.run, task.redoes.is_some());
                let begun = Instant::now();
                let origin = if second { None } else { self.record(run) };
                let held = match guarded(device, || residency.bring(index, run, second)) {
                    Ok(held) => held,
                    Err(error) => {
                        results.no_result(index, &task, error, flight.len());
                        continue;
                    }
                };
                let brought = begun.elapsed();
                let copies = match chunks.private_copies(&task, device.info()) {
                    Ok(copies) => copies,
                    Err(error) => {
                        residency.ended(index, run, &held, Ended::NotBegun);
                        results.failed(index, &task, error, flight.len());
                        continue;
                    }
                };
                let deadline = self.deadline(run);
                let cancel = Some(&shared.slots[index][slot]);
                let chunk = chunks.chunk(run, &copies, cancel, deadline);
                match guarded(device, || device.start_with(chunk, &held)) {
                    Ok(running) => {
                        let one = InFlight { task, running, copies, held, brought, origin };
                        flight.push_back(one);
                    }
                    Err(error) => {
                        // A device that only refused the chunk has not begun it.
                        let refused = matches!(
                            &error, Error::Device { kind, .. } if !kind.quarantines()
                        );
                        let begun = !refused && !second;
                        let how = if begun { Ended::Failed } else { Ended::NotBegun };
                        residency.ended(index, run, &held, how);
                        results.no_result(index, &task, error, flight.len());
                        chunks.give_back(&copies);
                    }
                }
            }
            let Some(InFlight { task, running, copies, held, brought, origin }) =
                flight.pop_front()
            else {
                if shared.wait_for_more(index, seen) {
                    last = Instant::now();
                    continue;
                }
                return;
            };
            let outcome = guarded(device, || running.finish());
            // What was computed a second time lies in copies.
            let how = match &outcome {
                _ if task.redoes.is_some() => Ended::NotBegun,
                Ok(cost) => {
                    origin.iter().for_each(|origin| origin.took(cost.busy));
                    Ended::Done(origin.as_ref())
                }
                Err(_) => Ended::Failed,
            };
            residency.ended(index, &task.run, &held, how);
            match outcome {
                Ok(mut cost) => {
                    // A chunk that waited behind another in the device's queue was not busy then.
                    cost.busy = (cost.busy + brought).min(last.elapsed());
                    last = Instant::now();
                    let changes = chunks.changes(&task.run, &copies);
                    results.done(Done { device: index, task, cost, copies, changes });
                }
                Err(error) => {
                    results.no_result(index, &task, error, flight.len());
                    chunks.give_back(&copies);
                }
            }
        }
    }

    /// Records a run, if what the device writes will stay there.
    fn record(&self, run: &Range<u32>) -> Option<Arc<Entry>> {
        let launch = (&self.running.recording, &self.running.residency);
        log::record(self.index, run, &[launch], 1)
    }

    /// The next task, or the state of affairs in which there was none.
    fn next(&self) -> Result<(Task, usize), Seen> {
        let Worker { running: Running { planned, residency, .. }, shared, index, device } = self;
        let (index, info) = (*index, device.info());
        let mut state = shared.lock();
        shared.heed_cancellation(&mut state);
        if state.stopped.is_some() {
            return Err(Seen { turn: state.turn, until: None });
        }
        let mut most = state.failures.most(index);
        if !info.kind.shares_cpu_cores()
            && let Some(rate) = state.policy.rate(index)
        {
            most = most.min((rate * WATCHDOG).clamp(1.0, f64::from(u32::MAX)) as u32);
        }
        let memory = planned.plan.chunk_memory(info, device.depth());
        let kernel = &planned.checked.kernel;
        let stays = residency.stays_on(index);
        // What stays on the device is there already.
        let mut fits = |run: &Range<u32>| {
            run.end - run.start <= most
                && (stays || planned.plan.fits(kernel, run, info, memory).is_ok())
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
    fn deadline(&self, run: &Range<u32>) -> Option<Duration> {
        let least = self.running.planned.checked.resources.patience;
        let software = self.device.info().kind.shares_cpu_cores();
        let rate = self.shared.lock().policy.rate(self.index);
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
}
