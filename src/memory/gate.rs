//! The gate of a buffer: a queue of passes, first come, first served.
//!
//! Every access to a buffer first queues for a pass, to read or to write. Passes are granted in the order of
//! queueing: neighbouring reads together, a write alone. So two launches see each other's results in the order
//! of their submission, whichever threads they run on.
//!
//! A launch queues at all of its gates in one step: [`queue_all`] holds one lock of the process meanwhile. So
//! any two launches have the same order at every gate that they share, and no deadlock can arise. Waiting holds
//! no lock.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The queue of one buffer.
#[derive(Debug, Default)]
pub(super) struct Gate {
    queue: Mutex<Queue>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    next: u64,
    waiting: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    write: bool,
}

/// A place in a gate's queue; leaves the queue when dropped.
#[derive(Debug)]
pub(super) struct Pass {
    gate: Arc<Gate>,
    number: u64,
}

static ORDER: Mutex<()> = Mutex::new(());

/// Queues at several gates at once. `true` asks for a pass to write.
pub(super) fn queue_all(gates: impl Iterator<Item = (Arc<Gate>, bool)>) -> Vec<Pass> {
    let _order = ORDER.lock().unwrap_or_else(PoisonError::into_inner);
    gates.map(|(gate, write)| gate.queue(write)).collect()
}

impl Gate {
    fn queue(self: Arc<Self>, write: bool) -> Pass {
        let number = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let number = queue.next;
            queue.next += 1;
            queue.waiting.push_back(Entry { number, write });
            number
        };
        Pass { gate: self, number }
    }
}

impl Gate {
    /// A pass to write that is granted at once, or `None` if any pass is granted or queued. As it does not
    /// wait, it cannot cause a deadlock.
    pub(super) fn try_write(self: &Arc<Self>) -> Option<Pass> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if !queue.waiting.is_empty() {
            return None;
        }
        let number = queue.next;
        queue.next += 1;
        queue.waiting.push_back(Entry { number, write: true });
        drop(queue);
        Some(Pass { gate: Arc::clone(self), number })
    }
}

impl Pass {
    /// Blocks until the pass is granted.
    pub(super) fn wait(&self) {
        let mut queue = self.gate.queue.lock().unwrap_or_else(PoisonError::into_inner);
        while !queue.granted(self.number) {
            queue = self.gate.moved.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Queue {
    fn granted(&self, number: u64) -> bool {
        for (place, entry) in self.waiting.iter().enumerate() {
            if entry.number == number {
                return place == 0 || !entry.write;
            }
            if entry.write {
                return false;
            }
        }
        unreachable!("a pass is in its queue until it is dropped")
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut queue = self.gate.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.waiting.retain(|entry| entry.number != self.number);
        drop(queue);
        self.gate.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(pass: &Pass) -> bool {
        pass.gate.queue.lock().unwrap().granted(pass.number)
    }

    #[test]
    fn reads_share_and_writes_wait_their_turn() {
        let gate = Arc::new(Gate::default());
        let first = Arc::clone(&gate).queue(false);
        let second = Arc::clone(&gate).queue(false);
        let write = Arc::clone(&gate).queue(true);
        let late = Arc::clone(&gate).queue(false);
        assert!(granted(&first) && granted(&second));
        assert!(!granted(&write) && !granted(&late), "a late read does not overtake a write");
        drop(first);
        assert!(!granted(&write));
        drop(second);
        assert!(granted(&write) && !granted(&late));
        drop(write);
        assert!(granted(&late));
    }

    #[test]
    fn a_pass_at_once_is_for_a_gate_that_nobody_uses() {
        let gate = Arc::new(Gate::default());
        let read = Arc::clone(&gate).queue(false);
        assert!(gate.try_write().is_none());
        drop(read);
        let write = gate.try_write().unwrap();
        assert!(granted(&write) && gate.try_write().is_none());
        let late = Arc::clone(&gate).queue(false);
        assert!(!granted(&late));
        drop(write);
        assert!(granted(&late));
    }

    #[test]
    fn a_pass_that_is_given_up_unblocks_those_behind_it() {
        let gate = Arc::new(Gate::default());
        let read = Arc::clone(&gate).queue(false);
        let write = Arc::clone(&gate).queue(true);
        let late = Arc::clone(&gate).queue(false);
        drop(write);
        assert!(granted(&late));
        drop(read);
    }

    /// A seeded scheduler: launches arrive, queue at some gates in one step, and leave when they end or are
    /// cancelled, in random order.
    #[test]
    fn in_every_order_of_events_who_conflicts_waits_and_the_first_in_line_never_does() {
        struct Launch {
            number: u64,
            wants: Vec<(usize, bool)>,
            passes: Vec<Pass>,
        }
        let conflict = |a: &Launch, b: &Launch, gate: usize| {
            let wants = |launch: &Launch| launch.wants.iter().find(|w| w.0 == gate).map(|w| w.1);
            matches!((wants(a), wants(b)), (Some(x), Some(y)) if x || y)
        };
        for seed in 1..400u64 {
            let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
            let mut below = |bound: u64| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 11) % bound
            };
            let gates: Vec<Arc<Gate>> = (0..3).map(|_| Arc::default()).collect();
            let mut all: Vec<Launch> = Vec::new();
            for number in 0..80 {
                if all.len() < 7 && below(3) > 0 {
                    let mut wants: Vec<(usize, bool)> = Vec::new();
                    for gate in 0..3 {
                        if below(2) == 0 {
                            wants.insert(
                                below(wants.len() as u64 + 1) as usize,
                                (gate, below(2) == 0),
                            );
                        }
                    }
                    let at = |(gate, write): &(usize, bool)| (Arc::clone(&gates[*gate]), *write);
                    let passes = queue_all(wants.iter().map(at));
                    all.push(Launch { number, wants, passes });
                } else if !all.is_empty() {
                    // The launch ends, or is cancelled while it waits.
                    all.remove(below(all.len() as u64) as usize);
                }
                for launch in &all {
                    for ((gate, _), pass) in launch.wants.iter().zip(&launch.passes) {
                        let earlier = all.iter().filter(|other| other.number < launch.number);
                        let free = !earlier.clone().any(|other| conflict(other, launch, *gate));
                        assert_eq!(granted(pass), free, "seed {seed}, launch {}", launch.number);
                    }
                }
                // So some launch can always proceed.
                if let Some(first) = all.iter().min_by_key(|launch| launch.number) {
                    assert!(first.passes.iter().all(granted), "seed {seed}");
                }
                for (number, gate) in gates.iter().enumerate() {
                    let wanted = all.iter().any(|l| l.wants.iter().any(|w| w.0 == number));
                    assert_eq!(gate.try_write().is_some(), !wanted, "seed {seed}");
                }
            }
        }
    }

    #[test]
    fn crossing_launches_do_not_deadlock() {
        let gates: Vec<Arc<Gate>> = (0..4).map(|_| Arc::default()).collect();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let gates = &gates;
                scope.spawn(move || {
                    for round in 0..200 {
                        let wanted = (0..4).map(|i| {
                            let at = (i * 3 + thread + round) % 4;
                            (Arc::clone(&gates[at]), (i + thread) % 2 == 0)
                        });
                        let passes = queue_all(wanted);
                        passes.iter().for_each(Pass::wait);
                    }
                });
            }
        });
    }
}
