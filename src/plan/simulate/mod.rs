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

/// One launch of many.
struct Seed {
    outcome: run::Outcome,
    bound: f64,
    /// What the best device alone needs: without jitter, and with as much as it met.
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

/// One launch of a scenario in full.
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

/// Launches below each other, as a picture in SVG.
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
