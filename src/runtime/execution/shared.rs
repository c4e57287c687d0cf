//! What the workers of a launch share: the policy, the reruns and the failures under one mutex, and a condition variable.
//!
//! Every change of the policy notifies all workers.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::failures::Failures;
use super::merge::Changes;
use super::reruns::Reruns;
use crate::device::Cancel;
use crate::error::Error;
use crate::pending::Job;
use crate::plan::Policy;

/// A worker that waits looks again after so many seconds, whatever it expects.
const LONGEST: f64 = 60.0;

/// What the workers of a launch share.
pub(crate) struct Shared<'s> {
    pub(crate) state: Mutex<State<'s>>,
    pub(crate) job: &'s Job,
    /// By device: what calls off its chunks in flight.
    pub(crate) slots: Vec<Vec<Cancel<'s>>>,
    /// The policy's time zero.
    pub(crate) begun: Instant,
    pub(crate) changed: Condvar,
    /// What chunks that are done changed in buffers that are merged.
    pub(crate) changes: Mutex<Vec<Changes>>,
}

/// The turn in which a worker found nothing to take, and until when that holds.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    pub(crate) turn: u64,
    pub(crate) until: Option<f64>,
}

pub(crate) struct State<'s> {
    pub(crate) policy: Policy,
    /// Counts the changes, so that a worker that found nothing to take can tell whether something
    /// changed before it went to sleep.
    pub(crate) turn: u64,
    /// What ended the launch before its time.
    pub(crate) stopped: Option<Error>,
    pub(crate) failures: Failures,
    pub(crate) reruns: Reruns<'s>,
}

impl State<'_> {
    pub(crate) fn over(&self) -> bool {
        self.stopped.is_some() || self.policy.finished() && self.reruns.settled()
    }
}

impl<'s> Shared<'s> {
    /// Before anything ran. `depths` are the chunks that each device may have in flight.
    pub(crate) fn new(
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
    pub(crate) fn into_inner(self) -> (State<'s>, Vec<Changes>) {
        let changes = self.changes.into_inner().unwrap_or_else(PoisonError::into_inner);
        (self.state.into_inner().unwrap_or_else(PoisonError::into_inner), changes)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<'s>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since the launch began, by the policy's clock.
    pub(crate) fn now(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Lets go of the state and tells all workers that it changed.
    pub(crate) fn tell(&self, mut state: MutexGuard<'_, State<'s>>) {
        state.turn += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Blocks a worker that has nothing in flight until something changed since `seen`; false
    /// when it should end.
    pub(crate) fn wait_for_more(&self, device: usize, seen: Option<Seen>) -> bool {
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
