//! Simulated launches, in virtual time. They show how well a policy schedules devices that are not
//! at hand.
//!
//! A [`Scenario`] describes devices, links, jitter, slow-downs and failures. [`compare`] runs the
//! runtime's own policy code on it, and compares the time of each launch with a lower bound. The
//! simulation is pure and reproducible: a seed gives the same launch on every machine.
//!
//! The model: a run costs a launch and the link's latency, then its bytes cross the link, then it
//! computes, one after the other. A device does one run at a time. Computing takes the workgroups'
//! time, multiplied by a log-normal factor of mean 1 for each run. A void run continues to its end.
//! The lower bound is the time of a schedule made with foresight: each device gets one run of whole
//! workgroups, without jitter.

mod bars;
mod chance;
mod scenario;

mod timeline;
mod world;

mod run;

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

pub use super::policy::Strategy;
pub use bars::{Bar, BarKind, Timeline};
pub use scenario::Scenario;
use world::World;

/// The results of a policy on one number of devices, over all seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The policy.
    pub policy: Strategy,
    /// The number of devices.
    pub devices: u32,
    /// The makespan divided by the lower bound, on average.
    pub mean: f64,
    /// The makespan divided by the lower bound, of the worst seed.
    pub worst: f64,
    /// The worst seed.
    pub worst_seed: u32,
    /// The makespan divided by that of the best device alone, which meets no jitter. The maximum
    /// over all seeds.
    pub against_best: f64,
    /// The same, where each device alone meets the average jitter of its runs in the launch.
    pub against_best_as_lucky: f64,
    /// The number of runs per device, on average.
    pub runs: f64,
    /// The number of second runs, or pieces of them, per launch.
    pub reruns: f64,
    /// The number of times that devices asked the policy for work, over all seeds.
    pub decisions: u64,
}

/// The launch of one seed.
struct Seed {
    outcome: run::Outcome,
    bound: f64,
    /// The time of the best device alone: without jitter, and with the average jitter of its runs.
    alone: (f64, f64),
}

/// Runs a scenario's launches on one number of devices with one policy.
///
/// ```
/// use coexec::simulate::{self, Scenario, Strategy};
/// let scenario = Scenario { seeds: 2, ..Scenario::default() };
/// let standing = simulate::compare(&scenario, 4, Strategy::Adaptive);
/// assert!(standing.mean >= 1.0); // over the lower bound
/// ```
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

/// The timeline of one launch of a scenario.
///
/// ```
/// use coexec::simulate::{self, Scenario, Strategy};
/// let scenario = Scenario { seeds: 2, ..Scenario::default() };
/// let timeline = simulate::timeline(&scenario, 4, Strategy::Guided, 1);
/// assert!(timeline.makespan >= timeline.bound && !timeline.bars.is_empty());
/// ```
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

/// An SVG picture of timelines, one below the other.
///
/// ```
/// use coexec::simulate::{self, Scenario, Strategy};
/// let scenario = Scenario { seeds: 2, ..Scenario::default() };
/// let timeline = simulate::timeline(&scenario, 4, Strategy::Adaptive, 1);
/// assert!(simulate::picture("four devices", &[timeline]).starts_with("<svg"));
/// ```
pub fn picture(title: &str, timelines: &[Timeline]) -> String {
    timeline::svg(title, timelines)
}

/// A policy's name.
///
/// ```
/// use coexec::simulate::{Strategy, name};
/// assert_eq!(name(Strategy::Adaptive), "adaptive");
/// ```
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
