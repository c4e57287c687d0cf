//! One launch in virtual time: an event loop that drives the runtime's policy.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::bars::{Bar, BarKind};
use super::chance::Chance;
use super::world::World;
use crate::plan::policy::{Next, Policy, Prior, Speed, Strategy, Task, TaskId};

/// The outcome of a launch.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    pub(super) makespan: f64,
    /// The number of times that devices asked the policy for work.
    pub(super) decisions: u64,
    pub(super) runs: u64,
    /// The number of second runs, or pieces of them.
    pub(super) reruns: u64,
    /// By device: the workgroups of its runs, and the same weighted with each run's jitter.
    pub(super) luck: Vec<(f64, f64)>,
    /// Empty unless it was requested.
    pub(super) bars: Vec<Bar>,
}

/// A time that is not negative, as an ordered key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Time(u64);

impl Time {
    fn of(time: f64) -> Time {
        Time(time.max(0.0).to_bits())
    }

    fn seconds(self) -> f64 {
        f64::from_bits(self.0)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Ends(usize, u64),
    Lost(usize),
    Wake,
}

/// After so many idle devices in a row got nothing, the rest are not asked. Fast devices are asked
/// first, and slower ones are less likely to get bands.
const ASKED: usize = 4;

struct Run<'a> {
    world: &'a World,
    policy: Policy,
    events: BinaryHeap<Reverse<(Time, u64, Event)>>,
    /// The number of the last event, which orders events of the same time.
    number: u64,
    /// By device: its task, and when it began.
    current: Vec<Option<(Task, f64)>>,
    lost: Vec<bool>,
    /// The ranks of the idle devices.
    idle: BTreeSet<usize>,
    /// The devices, fastest first.
    by_speed: Vec<usize>,
    /// By device: its place in `by_speed`.
    rank: Vec<usize>,
    wake: f64,
    outcome: Outcome,
    draw: bool,
}

/// Runs a launch to its end.
pub(super) fn run(world: &World, strategy: Strategy, draw: bool) -> Outcome {
    let priors: Vec<Option<Prior>> = world
        .machines
        .iter()
        .map(|machine| {
            let speed = Speed::Estimated(1.0 / machine.believed_group());
            Some(Prior { speed, overhead: machine.overhead })
        })
        .collect();
    let count = priors.len();
    let mut by_speed: Vec<usize> = (0..count).collect();
    by_speed.sort_by(|&a, &b| world.machines[a].group.total_cmp(&world.machines[b].group));
    let mut rank = vec![0; count];
    by_speed.iter().enumerate().for_each(|(place, &device)| rank[device] = place);
    let mut run = Run {
        world,
        policy: Policy::new(strategy, world.groups, &priors).with_reruns(true),
        events: BinaryHeap::new(),
        number: 0,
        current: vec![None; count],
        lost: vec![false; count],
        idle: BTreeSet::new(),
        by_speed,
        rank,
        wake: f64::INFINITY,
        outcome: Outcome { luck: vec![(0.0, 0.0); count], ..Outcome::default() },
        draw,
    };
    run.finish();
    run.outcome
}

impl Run<'_> {
    fn at(&mut self, time: f64, event: Event) {
        self.number += 1;
        self.events.push(Reverse((Time::of(time), self.number, event)));
    }

    fn finish(&mut self) {
        // Each device has its own stream of random numbers, so all policies meet the same jitter.
        let seed = self.world.chance.clone().bits();
        let mut chances: Vec<Chance> =
            (0..self.current.len() as u64).map(|device| Chance::new(seed ^ device << 17)).collect();
        for (device, machine) in self.world.machines.iter().enumerate() {
            if machine.lost.is_finite() {
                let lost = machine.lost;
                self.at(lost, Event::Lost(device));
            }
        }
        for device in 0..self.current.len() {
            self.ask(device, 0.0, &mut chances);
        }
        while !self.policy.finished() {
            let Some(Reverse((time, _, event))) = self.events.pop() else {
                debug_assert!(false, "bands are left and nobody works");
                return;
            };
            let now = time.seconds();
            match event {
                Event::Ends(device, id) => {
                    if self.current[device].as_ref().is_none_or(|(task, _)| task.id.0 != id) {
                        continue;
                    }
                    let Some((task, begun)) = self.current[device].take() else { continue };
                    let ended = self.policy.complete(task.id, now - begun, now);
                    self.draw(
                        device,
                        &task,
                        begun,
                        now,
                        match (ended.kept, task.redoes) {
                            (false, _) => BarKind::Void,
                            (true, Some(_)) => BarKind::Rerun,
                            (true, None) => BarKind::Run,
                        },
                    );
                    if self.policy.finished() {
                        self.outcome.makespan = now;
                        self.draw_rest(now);
                        return;
                    }
                    self.ask(device, now, &mut chances);
                }
                Event::Lost(device) => {
                    self.lost[device] = true;
                    if let Some((task, begun)) = self.current[device].take() {
                        self.draw(device, &task, begun, now, BarKind::Lost);
                        self.policy.fail(task.id, now);
                    }
                }
                // An earlier wake-up replaced this one.
                Event::Wake if now != self.wake => continue,
                Event::Wake => self.wake = f64::INFINITY,
            }
            self.ask_idle(now, &mut chances);
        }
    }

    fn ask_idle(&mut self, now: f64, chances: &mut [Chance]) {
        let mut vain = 0;
        let idle: Vec<usize> = match self.policy.is_working() {
            true => self.idle.iter().copied().take(64).collect(),
            false => self.idle.iter().copied().collect(),
        };
        for place in idle {
            let device = self.by_speed[place];
            let got = self.ask(device, now, chances);
            vain = if got { 0 } else { vain + 1 };
            if vain >= ASKED && self.policy.is_working() {
                break;
            }
        }
    }

    /// Asks the policy for work for a device. Returns whether the device got a task.
    fn ask(&mut self, device: usize, now: f64, chances: &mut [Chance]) -> bool {
        self.outcome.decisions += 1;
        match self.policy.take(device, now, &mut |_| true) {
            // The policy learns of a lost device when it gives it a task.
            Next::Run(task) if self.lost[device] => {
                self.idle.remove(&self.rank[device]);
                self.policy.fail(task.id, now);
                true
            }
            Next::Run(task) => {
                self.idle.remove(&self.rank[device]);
                self.outcome.runs += 1;
                self.outcome.reruns += u64::from(task.redoes.is_some());
                let machine = &self.world.machines[device];
                let jitter = chances[device].jitter(self.world.jitter);
                let groups = task.run.end - task.run.start;
                let time = machine.time(now, groups, jitter);
                let (all, weighted) = &mut self.outcome.luck[device];
                (*all, *weighted) =
                    (*all + f64::from(groups), *weighted + f64::from(groups) * jitter);
                let TaskId(id) = task.id;
                self.current[device] = Some((task, now));
                self.at(now + time, Event::Ends(device, id));
                true
            }
            Next::Wait(until) => {
                self.idle.insert(self.rank[device]);
                if let Some(until) = until
                    && until < self.wake
                {
                    self.wake = until.max(now + 1e-7);
                    self.at(self.wake, Event::Wake);
                }
                false
            }
        }
    }

    fn draw(&mut self, device: usize, task: &Task, begin: f64, end: f64, kind: BarKind) {
        if self.draw {
            let workgroups = task.run.end - task.run.start;
            self.outcome.bars.push(Bar { device: device as u32, begin, end, workgroups, kind });
        }
    }

    /// Draws the runs that are in flight when all bands are done.
    fn draw_rest(&mut self, now: f64) {
        for device in 0..self.current.len() {
            if let Some((task, begun)) = self.current[device].take() {
                self.draw(device, &task, begun, now, BarKind::Void);
            }
        }
    }
}
