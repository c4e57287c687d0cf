//! The schedule of a launch: which devices get which bands. It follows from the history of earlier launches,
//! and adds this launch to the history.

use std::ops::Range;
use std::time::Duration;

use super::homes;
use super::running::Running;
use crate::device::DeviceKind;
use crate::plan::{Policy, Prior, Speed, Split, Strategy};
use crate::runtime::history::{Expected, belief};
use crate::runtime::report::{DeviceReport, seconds};

/// The decisions about a launch that are made before its devices begin.
pub(super) struct Schedule<'r> {
    running: &'r Running<'r>,
    bands: u32,
    /// Whether the launch runs whole.
    pub(super) whole: bool,
    /// Whether the launch runs whole or the caller fixed its chunks: speeds do not matter then.
    fixed: bool,
    /// Whether a device that would be left out may get a trial.
    tries: bool,
    /// By device.
    expected: Vec<Option<Expected>>,
    priors: Vec<Option<Prior>>,
    /// By device: whether it gets a trial, although the others are expected to finish without it.
    tried: Vec<bool>,
    /// By device: bands per second; 0 for a device that takes no part, `None` for an unknown speed.
    known: Vec<Option<f64>>,
    /// By device: its home, the bands whose data it has; `None` if bands go to any device.
    homes: Option<Vec<Range<u32>>>,
}

impl<'r> Schedule<'r> {
    /// Makes the decisions, after `Residency::gather`.
    pub(super) fn new(running: &'r Running<'r>) -> Schedule<'r> {
        let (planned, alone) = (running.planned, running.alone);
        let wishes = &planned.checked.wishes;
        let bands = planned.plan.bands().len() as u32;
        let expected = planned.expectations();
        let priors: Vec<_> = expected.iter().map(|e| e.as_ref().map(|e| e.prior)).collect();
        let whole = matches!(planned.plan.split, Split::Whole { .. });
        let fixed = whole || wishes.chunks.is_some();
        let tries = !fixed && !wishes.reproducible && alone.is_none();
        let tried: Vec<bool> = (0..priors.len())
            .map(|device| {
                let idle = expected[device].as_ref().map_or(0.0, |expected| expected.idle);
                tries && belief::is_due(idle, device, &priors, bands)
            })
            .collect();
        let known: Vec<Option<f64>> = priors
            .iter()
            .enumerate()
            .map(|(device, prior)| match prior.map(|prior| prior.speed) {
                _ if alone.is_some_and(|alone| alone != device) => Some(0.0),
                Some(Speed::Measured(speed)) if !tried[device] => Some(speed),
                Some(_) => None,
                None => Some(0.0),
            })
            .collect();
        let homes = match wishes.reproducible {
            true => None,
            false => homes::homes(&running.residency, &known, fixed),
        };
        Schedule { running, bands, whole, fixed, tries, expected, priors, tried, known, homes }
    }

    /// The home of each device; empty if there are no homes.
    pub(super) fn homes(&self) -> &[Range<u32>] {
        self.homes.as_deref().unwrap_or_default()
    }

    /// The policy that hands out the bands.
    pub(super) fn policy(&self) -> Policy {
        let Running { planned, residency, alone, .. } = self.running;
        let strategy = match planned.checked.wishes.reproducible {
            _ if self.whole => Strategy::Single,
            true => Strategy::Static,
            false if self.fixed => Strategy::Single,
            // A device that took bands from another's home would move their data. Shares are
            // corrected between launches instead.
            false if self.homes.is_some() => Strategy::Static,
            false => Strategy::Adaptive,
        };
        let mut policy =
            Policy::new(strategy, self.bands, &self.priors).with_reruns(planned.plan.rerunnable);
        if let Some(homes) = &self.homes {
            policy = policy.with_homes(homes.clone());
        } else if strategy == Strategy::Adaptive && residency.keeps() && alone.is_none() {
            // The data that stays on a device should be one range, for the next launch.
            policy = policy.with_neighbours();
        }
        if let Some(device) = *alone {
            policy = policy.alone(device);
        }
        for device in (0..self.tried.len()).filter(|&device| self.tried[device]) {
            policy = policy.with_trial(device);
        }
        policy
    }

    /// The devices that can take part, in the order in which their workers start.
    pub(super) fn order(&self) -> Vec<usize> {
        let Running { planned, alone, place, .. } = self.running;
        let mut order = planned.order(place.unwrap_or(0));
        order.sort_by_key(|device| alone.is_some_and(|alone| alone != *device));
        order
    }

    /// Why a device that could take part computed nothing, if that was a decision.
    pub(super) fn why_left_out(
        &self,
        device: usize,
        report: &DeviceReport,
        policy: &Policy,
    ) -> Option<String> {
        if report.chunks > 0 {
            return None;
        }
        let Running { planned, alone, .. } = self.running;
        if let (true, Some(alone)) = (planned.takes_part(device), *alone) {
            let alone = &planned.checked.devices[alone].device.info().id;
            return Some(format!(
                "{alone} alone was faster than all devices together, or is being tried"
            ));
        }
        let (one, rest) = policy.refusal(device)?;
        let time = |s: f64| seconds(Duration::from_secs_f64(s.clamp(0.0, 1e9)));
        Some(format!(
            "its smallest part would have taken it {}, and the others were expected to finish \
             the rest in {}",
            time(one),
            time(rest)
        ))
    }

    /// Records a launch that succeeded: its balance, and whether it was shared or run alone. `took` is the
    /// whole time, including `set_up`. `failed`: whether a device failed in it.
    pub(super) fn note_success(
        &self,
        reports: &[DeviceReport],
        policy: &Policy,
        (took, set_up): (Duration, Duration),
        failed: bool,
    ) {
        let planned = self.running.planned;
        if let Some(homes) = self.homes.as_ref().filter(|_| !self.fixed) {
            homes::observe(planned, homes, reports.iter().map(|report| report.busy));
        }
        self.note_cores(reports, took.saturating_sub(set_up));
        if failed {
            self.note_failure();
        } else {
            self.note_way(reports, took, &|device| {
                let rate = policy.rate(device).or(self.known[device]);
                rate.filter(|rate| *rate > 0.0).map(|rate| f64::from(self.bands) / rate)
            });
        }
    }

    /// Records the speed of each device in a launch that took `took`. `compiled`: by device, whether a chunk
    /// had to wait for a compiler.
    pub(super) fn note_speeds(
        &self,
        reports: &[DeviceReport],
        policy: &Policy,
        compiled: &[bool],
        took: Duration,
    ) {
        let planned = self.running.planned;
        let memo = &planned.checked.resources.memo;
        for (device, report) in reports.iter().enumerate() {
            let Some(expected) = &self.expected[device] else { continue };
            match policy.rate(device) {
                Some(rate) => memo.remember(expected, rate, report),
                None if report.chunks == 0 && self.tries && planned.takes_part(device) => {
                    memo.left_out(expected, took, self.tried[device]);
                }
                None => {}
            }
            if report.chunks > 0 && !compiled[device] {
                memo.remember_roofline(expected, report);
            }
        }
    }

    /// Records the time of a launch that the CPU shared with GPUs, with or without spare cores.
    fn note_cores(&self, reports: &[DeviceReport], took: Duration) {
        let planned = self.running.planned;
        let kind = |at: usize| planned.checked.devices[at].device.info().kind;
        let worked = |cpu: bool| {
            let mut both = reports.iter().enumerate();
            both.any(|(at, report)| report.chunks > 0 && (kind(at) == DeviceKind::Cpu) == cpu)
        };
        if planned.fed().is_some() && worked(true) && worked(false) {
            let (left, seconds) = (self.running.chunks.spare > 0, took.as_secs_f64());
            let (memo, kernel) = (&planned.checked.resources.memo, &planned.checked.kernel);
            let workgroups = planned.workgroups(&planned.all());
            memo.cores(kernel, |cores| cores.observe(left, workgroups, seconds));
        }
    }

    /// The workgroups of a launch that one device might run alone.
    fn may_be_alone(&self) -> Option<u64> {
        self.running.planned.may_be_alone().filter(|_| self.running.place.is_none())
    }

    /// Records a failure in a launch that one device was to run alone.
    fn note_failure(&self) {
        if let (Some(_), Some(workgroups)) = (self.running.alone, self.may_be_alone()) {
            let checked = self.running.planned.checked;
            checked.resources.memo.alone(&checked.kernel, |alone| alone.failed(workgroups));
        }
    }

    /// Records the time of a launch that several devices shared or one ran alone. `expected` gives the
    /// seconds that a device would take alone.
    fn note_way(
        &self,
        reports: &[DeviceReport],
        took: Duration,
        expected: &dyn Fn(usize) -> Option<f64>,
    ) {
        let Some(workgroups) = self.may_be_alone() else { return };
        let Running { planned, alone: way, .. } = self.running;
        let others = |alone| {
            let mut reports = reports.iter().enumerate();
            reports.any(|(device, report)| device != alone && report.chunks > 0)
        };
        if way.is_some_and(others) {
            return;
        }
        let able = (0..reports.len()).filter(|&device| planned.takes_part(device));
        let times = able.filter_map(|device| Some((device, expected(device)?)));
        let best = || times.min_by(|a, b| a.1.total_cmp(&b.1));
        let (memo, kernel) = (&planned.checked.resources.memo, &planned.checked.kernel);
        memo.alone(kernel, |alone| {
            alone.observe(workgroups, *way, took.as_secs_f64(), best);
        });
    }
}
