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
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::failure::{Failures, guarded};
use super::merge::Changes;
use super::rerun::{Done, Reruns};
use super::residency::Ended;
use super::session::Session;
use crate::device::{Cancel, DeviceInfo, Held, Running};
use crate::error::{Error, Result};
use crate::memory::{Entry, PrivateCopy};
use crate::pending::Job;
use crate::plan::{Next, Policy, Task};

/// A worker that waits looks again after so many seconds, whatever it expects.
const LONGEST: f64 = 60.0;

/// Seconds that a chunk on a GPU takes at most, if it can be cut finer: many systems reset one that
/// computes for two, and a screen that hangs on it does not move meanwhile.
const WATCHDOG: f64 = 0.5;

/// A chunk that a device has been given.
struct InFlight<'a, 's> {
    task: Task,
    running: Box<dyn Running + 'a>,
    copies: Vec<(usize, PrivateCopy<'s>)>,
    held: Vec<Option<Held>>,
    /// How long it took to bring what was missing.
    brought: Duration,
    /// How to compute again what stays on the device.
    origin: Option<Arc<Entry>>,
}

/// What the workers of a launch share.
pub(super) struct Shared<'s> {
    state: Mutex<State<'s>>,
    pub(super) job: &'s Job,
    /// By device: what calls off its chunks in flight.
    pub(super) slots: Vec<Vec<Cancel<'s>>>,
    /// The policy's time zero.
    begun: Instant,
    changed: Condvar,
    /// What chunks that are done changed in buffers that are merged.
    pub(super) changes: Mutex<Vec<Changes>>,
}

/// The turn in which a worker found nothing to take, and until when that holds.
#[derive(Clone, Copy)]
struct Seen {
    turn: u64,
    until: Option<f64>,
}

pub(super) struct State<'s> {
    pub(super) policy: Policy,
    /// Counts the changes, so that a worker that found nothing to take can tell whether something
    /// changed before it went to sleep.
    turn: u64,
    /// What ended the launch before its time.
    pub(super) stopped: Option<Error>,
    pub(super) failures: Failures,
    pub(super) reruns: Reruns<'s>,
}

impl State<'_> {
    pub(super) fn over(&self) -> bool {
        self.stopped.is_some() || self.policy.finished() && self.reruns.settled()
    }
}

impl<'s> Shared<'s> {
    /// Before anything ran. `depths` are the chunks that each device may have in flight.
    pub(super) fn new(
        policy: Policy,
        failures: Failures,
        depths: impl Iterator<Item = usize>,
        job: &'s Job,
    ) -> Shared<'s> {
        let slots = |depth: usize| (0..depth.max(1)).map(|_| Cancel::new(job)).collect();
        Shared {
            state: Mutex::new(State {
                policy,
                turn: 0,
                stopped: None,
                failures,
                reruns: Reruns::default(),
            }),
            job,
            slots: depths.map(slots).collect(),
            begun: Instant::now(),
            changed: Condvar::new(),
            changes: Mutex::default(),
        }
    }

    /// What the workers left behind.
    pub(super) fn into_inner(self) -> (State<'s>, Vec<Changes>) {
        let changes = self.changes.into_inner().unwrap_or_else(PoisonError::into_inner);
        (self.state.into_inner().unwrap_or_else(PoisonError::into_inner), changes)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<'s>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since the launch began, by the policy's clock.
    pub(super) fn now(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Lets go of the state and tells all workers that it changed.
    pub(super) fn tell(&self, mut state: MutexGuard<'_, State<'s>>) {
        state.turn += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Blocks a worker that has nothing in flight until something changed since `seen`; false
    /// when it should end.
    fn wait_for_more(&self, device: usize, seen: Option<Seen>) -> bool {
        let mut state = self.lock();
        loop {
            if state.over() || !state.policy.takes_part(device) {
                return false;
            }
            let Some(Seen { turn, until }) = seen else { return true };
            if turn != state.turn {
                return true;
            }
            state = match until {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) if self.now() >= until => return true,
                Some(until) => {
                    let time = Duration::from_secs_f64((until - self.now()).clamp(0.0, LONGEST));
                    let waited = self.changed.wait_timeout(state, time);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Session<'_> {
    pub(super) fn worker<'s>(&'s self, index: usize, shared: &Shared<'s>) {
        let device = &*self.checked.devices[index].device;
        let mut flight: VecDeque<InFlight<'_, 's>> = VecDeque::new();
        let mut last = Instant::now();
        loop {
            let mut seen = None;
            while flight.len() < shared.lock().failures.depth(index, device.depth().max(1)) {
                let (task, slot) = match self.next(index, device.info(), shared) {
                    Ok(next) => next,
                    Err(now) => {
                        seen = Some(now);
                        break;
                    }
                };
                let (run, second) = (&task.run, task.redoes.is_some());
                let begun = Instant::now();
                let origin = if second { None } else { self.record(index, run) };
                let held = match guarded(device, || self.bring(index, run, second)) {
                    Ok(held) => held,
                    Err(error) => {
                        self.no_result(index, &task, error, flight.len(), shared);
                        continue;
                    }
                };
                let brought = begun.elapsed();
                let copies = match self.private_copies(&task, device.info()) {
                    Ok(copies) => copies,
                    Err(error) => {
                        self.ended(index, run, &held, Ended::NotBegun);
                        self.failed(index, &task, error, flight.len(), shared);
                        continue;
                    }
                };
                let deadline = self.deadline(index, run, shared);
                let cancel = Some(&shared.slots[index][slot]);
                let chunk = self.chunk(run, &copies, cancel, deadline);
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
                        self.ended(index, run, &held, how);
                        self.no_result(index, &task, error, flight.len(), shared);
                        self.give_back(&copies);
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
            self.ended(index, &task.run, &held, how);
            match outcome {
                Ok(mut cost) => {
                    // A chunk that waited behind another in the device's queue was not busy then.
                    cost.busy = (cost.busy + brought).min(last.elapsed());
                    last = Instant::now();
                    let changes = self.changes(&task.run, &copies);
                    self.done(Done { device: index, task, cost, copies, changes }, shared);
                }
                Err(error) => {
                    self.no_result(index, &task, error, flight.len(), shared);
                    self.give_back(&copies);
                }
            }
        }
    }

    /// The next task for a device, or the state of affairs in which there was none.
    fn next(
        &self,
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
        let (memory, kernel) = (self.chunk_memory(index), &self.checked.kernel);
        let stays = self.stays_on(index);
        // What stays on the device is there already.
        let mut fits = |run: &Range<u32>| {
            run.end - run.start <= most
                && (stays || self.plan.fits(kernel, run, info, memory).is_ok())
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
    fn deadline(&self, device: usize, run: &Range<u32>, shared: &Shared) -> Option<Duration> {
        let least = self.checked.runtime.inner.patience;
        let software = self.checked.devices[device].device.info().kind.shares_cpu_cores();
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
}
