//! How a launch begins: what is expected of each device, which of them are tried, where data lies, and the policy that follows.

use std::ops::Range;

use super::homes::homes;
use super::running::Running;
use crate::error::Result;
use crate::plan::{Policy, Prior, Speed, Split, Strategy};
use crate::runtime::history::{Expected, is_due};

/// The decisions that are made before any device begins.
pub(crate) struct Schedule {
    pub(crate) policy: Policy,
    /// By device; nothing for one that can't run the launch.
    pub(crate) expected: Vec<Option<Expected>>,
    /// Whether devices may be tried at all.
    pub(crate) tries: bool,
    /// By device: whether it is tried.
    pub(crate) tried: Vec<bool>,
    /// By device: its measured speed in bands per second; 0 if it takes no part, nothing if it is not known.
    pub(crate) known: Vec<Option<f64>>,
    /// Whether the chunks are fixed: one device runs all, or the caller asked for so many.
    pub(crate) fixed: bool,
    /// The run of bands of each device, if its data decides.
    pub(crate) homes: Option<Vec<Range<u32>>>,
}

impl Schedule {
    /// Decides, and brings the data that each device's home needs.
    pub(crate) fn new(running: &Running<'_>) -> Result<Schedule> {
        let planned = &running.planned;
        let bands = planned.plan.bands().len() as u32;
        let expected = planned.expectations();
        let priors: Vec<Option<Prior>> =
            expected.iter().map(|e| e.as_ref().map(|e| e.prior)).collect();
        // Where only one device runs there is nothing to weigh.
        let whole = matches!(planned.plan.split, Split::Whole { .. });
        let fixed = whole || planned.checked.wishes.chunks.is_some();
        let reproducible = planned.checked.wishes.reproducible;
        let tries = !fixed && !reproducible && running.alone.is_none();
        let tried: Vec<bool> = (0..priors.len())
            .map(|device| {
                let idle = expected[device].as_ref().map_or(0.0, |expected| expected.idle);
                tries && is_due(idle, device, &priors, bands)
            })
            .collect();
        let known: Vec<Option<f64>> = priors
            .iter()
            .enumerate()
            .map(|(device, prior)| match prior.map(|prior| prior.speed) {
                _ if running.alone.is_some_and(|alone| alone != device) => Some(0.0),
                Some(Speed::Measured(speed)) if !tried[device] => Some(speed),
                Some(_) => None,
                None => Some(0.0),
            })
            .collect();
        let residency = &running.residency;
        let homes = if reproducible { None } else { homes(planned, residency, &known, fixed) };
        residency.settle(planned, homes.as_deref().unwrap_or_default())?;
        let strategy = match reproducible {
            _ if whole => Strategy::Single,
            true => Strategy::Static,
            false if fixed => Strategy::Single,
            // A device that takes another's bands moves their data: shares are corrected between launches.
            false if homes.is_some() => Strategy::Static,
            false => Strategy::Adaptive,
        };
        let mut policy = Policy::new(strategy, bands, &priors).with_reruns(planned.plan.rerunnable);
        if let Some(homes) = &homes {
            policy = policy.with_homes(homes.clone());
        } else if strategy == Strategy::Adaptive && residency.keeps() && running.alone.is_none() {
            // What stays on a device should be of one piece for the next launch.
            policy = policy.with_neighbours();
        }
        if let Some(device) = running.alone {
            policy = policy.alone(device);
        }
        for device in (0..tried.len()).filter(|&device| tried[device]) {
            policy = policy.with_trial(device);
        }
        Ok(Schedule { policy, expected, tries, tried, known, fixed, homes })
    }
}
