//! The worker of a device: takes runs of bands from the policy, runs them on its device, and reports the outcomes.
//!
//! A worker takes a run under the mutex of `Shared` and starts it outside of the mutex, until `Device::depth`
//! runs are in flight. Then it waits for the oldest, and hands its outcome to `results`.

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

/// The longest time of a chunk on a GPU, in seconds, if it can be cut finer. Many systems reset a GPU that
/// computes for two seconds, and a screen attached to it freezes meanwhile.
const WATCHDOG: f64 = 0.5;

/// A chunk in flight.
struct InFlight<'a, 's> {
    task: Task,
    running: Box<dyn device::Running + 'a>,
    copies: Vec<(usize, PrivateCopy<'s>)>,
    held: Vec<Option<Held>>,
    /// The time to bring missing data.
    brought: Duration,
    /// How to compute the results that stay on the device again.
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

    /// Works until the device can get no more bands.
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
            // A second run writes to copies, so its windows have not changed.
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
                    // The time that a chunk waited in the device's queue does not count as busy.
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

    /// Records a run in the log, if its results will stay on the device.
    fn record(&self, run: &Range<u32>) -> Option<Arc<Entry>> {
        let launch = (&self.running.recording, &self.running.residency);
        log::record(self.index, run, &[launch], 1)
    }

    /// The next task and its slot, or the state in which there was none.
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
        // If all data stays on the device, a run needs no memory beside it.
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

    /// The deadline of a chunk: 30 times its expected time, and at least the patience.
    fn deadline(&self, run: &Range<u32>) -> Option<Duration> {
        let least = self.running.planned.checked.resources.patience;
        let software = self.device.info().kind.shares_cpu_cores();
        let rate = self.shared.lock().policy.rate(self.index);
        let Some(rate) = rate.filter(|rate| *rate > 0.0) else {
            // The speed is unknown, so four times the patience; without one, the device decides.
            return least.map(|least| least * 4);
        };
        // A device that computes on the CPU's cores may have to wait for other processes.
        let usual = Duration::from_secs(if software { 600 } else { 30 });
        let expected = f64::from(run.end - run.start) / rate;
        let long = Duration::try_from_secs_f64(expected * 30.0).unwrap_or(Duration::MAX);
        Some(long.max(least.unwrap_or(usual)))
    }
}
