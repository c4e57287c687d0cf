//! The shared state of a launch's workers: the policy under one mutex, and the condition variable on which
//! workers wait.
//!
//! A worker with nothing in flight and nothing to take waits, because a run may come back from a device that
//! fails. Every change of the policy notifies all workers. A worker ends when the policy is finished and
//! every result that counts is in place, when its device leaves the launch, or when an endless loop, another
//! error or a cancellation stops the launch.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::failures::Failures;
use super::merge::Changes;
use super::rerun::Reruns;
use crate::device::Cancel;
use crate::error::Error;
use crate::pending::Job;
use crate::plan::Policy;

/// The longest timed wait of a worker, in seconds.
const LONGEST: f64 = 60.0;

/// The shared state of a launch's workers.
pub(super) struct Shared<'s> {
    state: Mutex<State<'s>>,
    pub(super) job: &'s Job,
    /// By device and slot: calls off the chunk in flight.
    pub(super) slots: Vec<Vec<Cancel<'s>>>,
    /// The policy's time zero.
    begun: Instant,
    changed: Condvar,
    /// The changes of finished chunks in merged buffers.
    pub(super) changes: Mutex<Vec<Changes>>,
}

/// The turn in which a worker found nothing to take, and the time until which that holds.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) turn: u64,
    pub(super) until: Option<f64>,
}

pub(super) struct State<'s> {
    pub(super) policy: Policy,
    /// Counts the changes, so that a worker notices a change between finding nothing to take and going to sleep.
    pub(super) turn: u64,
    /// The error that ended the launch early.
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
    /// The initial state. `depths`: the most chunks that each device may have in flight.
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

    /// The final state, and the changes in merged buffers.
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

    /// Releases the state and notifies all workers that it changed.
    pub(super) fn tell(&self, mut state: MutexGuard<'_, State<'s>>) {
        state.turn += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Blocks a worker with nothing in flight until the state has changed since `seen`, or that has expired.
    /// Returns false if the worker should end.
    pub(super) fn wait_for_more(&self, device: usize, seen: Option<Seen>) -> bool {
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

    /// Stops the launch if it was cancelled.
    pub(super) fn heed_cancellation(&self, state: &mut State<'_>) {
        if self.job.is_cancelled() && !state.policy.finished() {
            state.stopped.get_or_insert(Error::Cancelled);
            state.turn += 1;
            self.changed.notify_all();
        }
    }
}
