//! The protocol of `runtime/execution/worker.rs` under a seeded scheduler. The order of events is random, with
//! failures, refusals and void tasks at every point.

use super::tests::STRATEGIES;
use super::*;

/// Random numbers below a bound.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) % bound as u64) as usize
    }
}

/// Counts the results of each band.
struct Books {
    counted: Vec<u32>,
    /// Complete pieces of tasks that are redone, until all pieces are complete.
    held: Vec<Task>,
}

impl Books {
    fn count(&mut self, task: &Task) {
        task.run.clone().for_each(|band| self.counted[band as usize] += 1);
    }

    fn ended(&mut self, task: Task, ended: &Ended) {
        if task.redoes.is_some() && ended.kept {
            self.held.push(task);
        } else if ended.kept {
            self.held.retain(|piece| piece.redoes != Some(task.id));
            self.count(&task);
        }
        if let Some(original) = ended.overtaken {
            let all = std::mem::take(&mut self.held);
            let (pieces, rest) = all.into_iter().partition(|p| p.redoes == Some(original));
            self.held = rest;
            let pieces: Vec<Task> = pieces;
            pieces.iter().for_each(|piece| self.count(piece));
        }
    }
}

/// Runs one launch. Returns whether it finished, and how many tasks were withdrawn, given back and failed.
fn run(seed: u64) -> (bool, [u32; 3]) {
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let bands = 1 + chance.below(60) as u32;
    let devices = 1 + chance.below(4);
    let priors: Vec<Option<Prior>> = (0..devices)
        .map(|device| {
            let rate = 0.1 + chance.below(100) as f64;
            let speed = match chance.below(2) {
                0 => Speed::Measured(rate),
                _ => Speed::Estimated(rate),
            };
            let there = device == 0 || chance.below(8) > 0;
            there.then_some(Prior { speed, overhead: 1e-6 })
        })
        .collect();
    // Only the adaptive strategy redoes runs.
    let strategy = match chance.below(2) {
        0 => Strategy::Adaptive,
        _ => STRATEGIES[chance.below(STRATEGIES.len())],
    };
    let mut policy = Policy::new(strategy, bands, &priors).with_reruns(chance.below(4) > 0);
    if chance.below(2) == 0 {
        policy = policy.with_neighbours();
    }
    let mut books = Books { counted: vec![0; bands as usize], held: Vec::new() };
    let mut flights: Vec<VecDeque<Task>> = vec![VecDeque::new(); devices];
    let depth: Vec<usize> = (0..devices).map(|_| 1 + chance.below(3)).collect();
    let mut void: Vec<TaskId> = Vec::new();
    let mut seen = [0; 3];
    let mut now = 0.0;
    let mut idle = 0;
    for _ in 0..20_000 {
        if policy.finished() && flights.iter().all(VecDeque::is_empty) {
            break;
        }
        now += chance.below(1000) as f64 * 1e-3;
        let device = chance.below(devices);
        let takes = flights[device].len() < depth[device] && chance.below(2) == 0;
        if takes {
            let most = 1 + chance.below(40) as u32;
            match policy.take(device, now, &mut |run| run.end - run.start <= most) {
                Next::Run(task) => {
                    assert!(task.run.start < task.run.end && task.run.end <= bands);
                    flights[device].push_back(task);
                    idle = 0;
                }
                Next::Wait(until) => {
                    if flights.iter().all(VecDeque::is_empty) {
                        now = now.max(until.unwrap_or(now));
                        idle += 1;
                        let left = (0..devices).any(|device| policy.takes_part(device));
                        if !left {
                            break;
                        }
                        assert!(idle < 200, "seed {seed}: bands are left, and nobody gets them");
                    }
                }
            }
            continue;
        }
        let Some(task) = flights[device].pop_front() else { continue };
        match chance.below(24) {
            3..12 if void.contains(&task.id) => {
                policy.withdraw(task.id, now);
                seen[0] += 1;
            }
            1 => {
                policy.give_back(task.id, now);
                seen[1] += 1;
            }
            2 => {
                policy.fail(task.id, now);
                assert!(!policy.takes_part(device));
                seen[2] += 1;
            }
            _ => {
                let before = policy.finished();
                let ended = policy.complete(task.id, 0.01 * (1 + chance.below(50)) as f64, now);
                assert!(!before || !ended.kept, "seed {seed}: done twice");
                void.extend(&ended.void);
                books.ended(task, &ended);
            }
        }
    }
    let finished = policy.finished();
    let right = |n: &u32| if finished { *n == 1 } else { *n <= 1 };
    assert!(books.counted.iter().all(right), "seed {seed}: {:?}", books.counted);
    assert!(finished || (0..devices).all(|device| !policy.takes_part(device)), "seed {seed}");
    (finished, seen)
}

#[test]
fn in_every_order_of_events_each_band_counts_once_or_no_device_is_left() {
    let (mut finished, mut all) = (0, [0; 3]);
    const SEEDS: u64 = 4000;
    for seed in 1..=SEEDS {
        let (whole, seen) = run(seed);
        finished += u64::from(whole);
        all.iter_mut().zip(seen).for_each(|(all, n)| *all += n);
    }
    // Each kind of event occurred often.
    assert!(finished > SEEDS / 3 && finished < SEEDS, "{finished}");
    assert!(all.iter().all(|n| *n > 20), "{all:?}");
}
