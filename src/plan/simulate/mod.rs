//! Launches in virtual time: how well a policy does on devices that nobody has here.
//!
//! A [`Scenario`] describes devices, links, jitter, slow-downs and failures; [`compare`] runs the
//! same policy code over it that the runtime uses, and holds each launch against what a
//! clairvoyant would need. Pure and reproducible: a seed gives the same launch everywhere.
//!
//! The model: a run costs a launch and the link's latency, then its bytes cross the link, then it
//! computes, all one after the other; a device does one run at a time. Computing takes the
//! workgroups' time, times a log-normal factor of mean 1 for each run. A run that is void goes on
//! to its end. The lower bound gives each device one run of whole workgroups and no jitter.

mod chance;
mod run;
mod timeline;
mod world;

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

pub use super::policy::Strategy;
use world::World;

/// A class of launches to be simulated. Times are in seconds, sizes in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// The numbers of devices to simulate.
    pub devices: Vec<u32>,
    /// Workgroups of the launch, for each device.
    pub workgroups_per_device: u32,
    /// What a workgroup takes on a device of speed 1.
    pub seconds_per_workgroup: f64,
    /// What crosses the link for each workgroup.
    pub bytes_per_workgroup: f64,
    /// Speeds are drawn between these, uniformly in their logarithm.
    pub speeds: (f64, f64),
    /// Speeds of the devices, in turn, instead of random ones.
    pub speed_list: Vec<f64>,
    /// What is believed of a speed before the launch is wrong by up to this factor.
    pub estimate_error: f64,
    /// What a run costs, however small.
    pub launch: f64,
    /// The same of its link.
    pub link_latency: f64,
    /// Bytes per second.
    pub link_bandwidth: f64,
    /// The spread of a run's time: the standard deviation of its logarithm.
    pub jitter: f64,
    /// So many devices become slower,
    pub slow_devices: u32,
    /// so many times,
    pub slow_factor: f64,
    /// from this part of the bound on.
    pub slow_from: f64,
    /// So many devices are lost at some time.
    pub failures: u32,
    /// Launches for each number of devices.
    pub seeds: u32,
}

impl Default for Scenario {
    /// The standard scenario.
    fn default() -> Scenario {
        Scenario {
            name: "standard".to_owned(),
            devices: vec![2, 3, 4, 8, 16, 32, 64, 4096],
            workgroups_per_device: 256,
            seconds_per_workgroup: 1e-3,
            bytes_per_workgroup: 65536.0,
            speeds: (1.0, 20.0),
            speed_list: Vec::new(),
            estimate_error: 4.0,
            launch: 50e-6,
            link_latency: 10e-6,
            link_bandwidth: 12e9,
            jitter: 0.2,
            slow_devices: 1,
            slow_factor: 5.0,
            slow_from: 0.5,
            failures: 0,
            seeds: 100,
        }
    }
}

impl Scenario {
    /// What makes it impossible to simulate, if anything.
    pub fn mistake(&self) -> Option<String> {
        let positive = [
            ("seconds_per_workgroup", self.seconds_per_workgroup),
            ("the least speed", self.speeds.0),
            ("the largest speed", self.speeds.1),
            ("link_bandwidth", self.link_bandwidth),
        ];
        let wrong = positive.iter().find(|(_, value)| !(value.is_finite() && *value > 0.0));
        if let Some((name, value)) = wrong {
            return Some(format!("{name} is {value}, and must be more than 0"));
        }
        let not_negative = [
            ("bytes_per_workgroup", self.bytes_per_workgroup),
            ("launch", self.launch),
            ("link_latency", self.link_latency),
            ("jitter", self.jitter),
            ("slow_from", self.slow_from),
        ];
        let wrong = not_negative.iter().find(|(_, value)| !(value.is_finite() && *value >= 0.0));
        if let Some((name, value)) = wrong {
            return Some(format!("{name} is {value}, and must not be negative"));
        }
        let factors = [("slow_factor", self.slow_factor), ("estimate_error", self.estimate_error)];
        let wrong = factors.iter().find(|(_, value)| !(value.is_finite() && *value >= 1.0));
        if let Some((name, value)) = wrong {
            return Some(format!("{name} is {value}, and must be at least 1"));
        }
        if let Some(speed) = self.speed_list.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            return Some(format!("a speed is {speed}, and must be more than 0"));
        }
        if self.speeds.0 > self.speeds.1 {
            return Some("the least speed is more than the largest".to_owned());
        }
        let bad = self.devices.iter().find(|n| !(1..=MOST_DEVICES).contains(*n));
        if let Some(count) = bad {
            return Some(format!("{count} devices; from 1 to {MOST_DEVICES} can be simulated"));
        }
        if self.devices.is_empty() || self.seeds == 0 || self.workgroups_per_device == 0 {
            return Some("it has no devices, no seeds or no workgroups".to_owned());
        }
        None
    }
}

/// More devices than this make the arithmetic of workgroups overflow sooner than they are useful.
const MOST_DEVICES: u32 = 65536;

/// How a policy did on one number of devices, over all seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Which policy.
    pub policy: Strategy,
    /// How many devices.
    pub devices: u32,
    /// The makespan over the lower bound, on average.
    pub mean: f64,
    /// The same of the worst seed.
    pub worst: f64,
    /// Which seed that was.
    pub worst_seed: u32,
    /// The makespan over the best device's alone, of the worst seed, if that one meets no jitter.
    pub against_best: f64,
    /// The same, if everything takes each device as much longer alone as its runs took here.
    pub against_best_as_lucky: f64,
    /// Runs per device, on average.
    pub runs: f64,
    /// Runs that were computed a second time, per launch.
    pub reruns: f64,
    /// Times that the policy was asked, over all seeds.
    pub decisions: u64,
}

/// One launch in full.
#[derive(Debug, Clone)]
pub struct Timeline {
    /// The policy's name.
    pub policy: String,
    /// How many devices.
    pub devices: u32,
    /// When everything was done, in seconds.
    pub makespan: f64,
    /// The lower bound.
    pub bound: f64,
    /// Everything that ran.
    pub bars: Vec<Bar>,
}

/// A run on a device.
#[derive(Debug, Clone)]
pub struct Bar {
    /// Which device.
    pub device: u32,
    /// Seconds from the launch's begin.
    pub begin: f64,
    /// The same of its end.
    pub end: f64,
    /// How many workgroups.
    pub workgroups: u32,
    /// What became of it.
    pub kind: BarKind,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarKind {
    /// Its result counted.
    Run,
    /// Its result counted, and another device was at it too.
    Rerun,
    /// Somebody else was first.
    Void,
    /// Its device was lost.
    Lost,
}

/// One launch of many.
struct Seed {
    outcome: run::Outcome,
    bound: f64,
    /// What the best device alone needs: without jitter, and with as much as it met.
    alone: (f64, f64),
}

/// Runs a scenario's launches on one number of devices with one policy.
pub fn compare(scenario: &Scenario, devices: u32, policy: Strategy) -> Standing {
    let (done, total) = (AtomicU64::new(0), u64::from(scenario.seeds));
    let seeds: Vec<Seed> = (0..scenario.seeds)
        .into_par_iter()
        .map(|seed| {
            let world = World::new(scenario, devices, u64::from(seed));
            let outcome = run::run(&world, policy, false);
            let luck = |device: usize| match outcome.luck[device] {
                (all, weighted) if all > 0.0 => weighted / all,
                _ => 1.0,
            };
            let alone = (world.alone(|_| 1.0), world.alone(luck));
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            tracing::trace!(target: "coexec::progress", done, total);
            Seed { outcome, bound: world.bound, alone }
        })
        .collect();
    let count = seeds.len().max(1) as f64;
    let sum = |what: fn(&run::Outcome) -> u64| seeds.iter().map(|s| what(&s.outcome)).sum::<u64>();
    let over = |seed: &Seed| seed.outcome.makespan / seed.bound;
    let most = |over: fn(&Seed) -> f64| seeds.iter().map(over).fold(0.0, f64::max);
    let order = |a: &usize, b: &usize| over(&seeds[*a]).total_cmp(&over(&seeds[*b]));
    let worst = (0..seeds.len()).max_by(order).unwrap_or(0);
    Standing {
        policy,
        devices,
        mean: seeds.iter().map(over).sum::<f64>() / count,
        worst: seeds.get(worst).map_or(0.0, over),
        worst_seed: worst as u32,
        against_best: most(|seed| seed.outcome.makespan / seed.alone.0),
        against_best_as_lucky: most(|seed| seed.outcome.makespan / seed.alone.1),
        runs: sum(|o| o.runs) as f64 / count / f64::from(devices),
        reruns: sum(|o| o.reruns) as f64 / count,
        decisions: sum(|o| o.decisions),
    }
}

/// One launch of a scenario in full.
pub fn timeline(scenario: &Scenario, devices: u32, policy: Strategy, seed: u32) -> Timeline {
    let world = World::new(scenario, devices, u64::from(seed));
    let outcome = run::run(&world, policy, true);
    Timeline {
        policy: name(policy).to_owned(),
        devices,
        makespan: outcome.makespan,
        bound: world.bound,
        bars: outcome.bars,
    }
}

/// Launches below each other, as a picture in SVG.
pub fn picture(title: &str, timelines: &[Timeline]) -> String {
    timeline::svg(title, timelines)
}

/// A policy's name.
pub fn name(policy: Strategy) -> &'static str {
    match policy {
        Strategy::Static => "static",
        Strategy::Dynamic => "dynamic",
        Strategy::Guided => "guided",
        Strategy::Adaptive => "adaptive",
        Strategy::Single => "single",
    }
}

#[cfg(test)]
mod tests;
