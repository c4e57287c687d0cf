//! The data that a runtime keeps between launches: analyses of kernels, speeds (`profile`), and plans.
//!
//! A plan is kept with everything that it follows from: kernel, grid, values, sizes of buffers, wishes, able
//! devices, and the versions of those contents of buffers that the analysis used.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::alone::Alone;
use super::balance::Balance;
use super::belief::{self, Known, Measured};
use super::cores::Cores;
use super::measurement::{self, Key};
use super::profile::Profiles;
use crate::analysis::{Analysis, Argument, Arguments};
use crate::device::{DeviceInfo, DeviceKind};
use crate::kernel::Kernel;
use crate::plan::{Plan, Prior, Roofline, Wishes, Work};
use crate::runtime::report::DeviceReport;

/// The most kernels that are kept; the oldest is dropped first. A program has a few dozen.
const KEPT: usize = 256;

/// The most plans that are kept; the least recently used is dropped first.
const KEPT_PLANS: usize = 64;

#[derive(Default)]
pub(crate) struct Memo {
    kernels: Mutex<HashMap<u64, Entry>>,
    /// The most recently used is in front.
    plans: Mutex<VecDeque<Planned>>,
    profiles: Profiles,
}

/// The key of a plan, without the contents of buffers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) kernel: u64,
    pub(crate) grid: [u32; 3],
    /// By binding; empty for buffers.
    pub(crate) values: &'a [Vec<u8>],
    /// By binding; 0 for values.
    pub(crate) elements: &'a [u64],
    pub(crate) wishes: &'a Wishes,
    /// By device: why it can't run the kernel at all.
    pub(crate) unable: &'a [Option<String>],
}

/// A kept question.
#[derive(Debug)]
pub(crate) struct Asked {
    kernel: u64,
    grid: [u32; 3],
    values: Vec<Vec<u8>>,
    elements: Vec<u64>,
    wishes: Wishes,
    unable: Vec<Option<String>>,
}

/// A kept plan.
#[derive(Debug)]
struct Planned {
    asked: Asked,
    /// The bindings whose contents were used: number, version, and the binding's start in it.
    contents: Vec<(usize, u64, u64)>,
    plan: Plan,
    /// By device: why it takes no part in this launch.
    unable: Vec<Option<String>>,
}

impl Question<'_> {
    pub(crate) fn to_owned(self) -> Asked {
        Asked {
            kernel: self.kernel,
            grid: self.grid,
            values: self.values.to_vec(),
            elements: self.elements.to_vec(),
            wishes: self.wishes.clone(),
            unable: self.unable.to_vec(),
        }
    }

    fn is(&self, asked: &Asked) -> bool {
        self.kernel == asked.kernel
            && self.grid == asked.grid
            && self.elements == asked.elements
            && *self.wishes == asked.wishes
            && self.values == asked.values
            && self.unable == asked.unable
    }
}

/// The version of a binding's contents, and the binding's start in it.
fn version(arguments: &Arguments<'_>, binding: usize) -> Option<(u64, u64)> {
    match &arguments.bindings[binding] {
        Argument::Storage { contents: Some(contents), .. } => {
            Some((contents.version.number(), contents.start))
        }
        _ => None,
    }
}

/// The expectation for a device in a launch.
pub(crate) struct Expected {
    pub(crate) prior: Prior,
    /// Seconds of launches without the device since it was last measured or tried.
    pub(crate) idle: f64,
    key: Key,
    /// The believed roofline of the device.
    roofline: Roofline,
    /// The work of one band.
    work: Work,
    /// The workgroups of one band.
    band: f64,
}

struct Entry {
    analysis: Arc<Analysis>,
    /// The kernel's hash, which is the same in every run of the program.
    hash: u64,
    /// Of launches whose data is on devices.
    balance: Balance,
    /// Of launches that the CPU shares with GPUs.
    cores: Cores,
    /// Of launches that one device might run alone.
    alone: Alone,
}

impl Memo {
    /// A memo that neither reads nor writes the file of profiles.
    pub(crate) fn of_one_runtime() -> Memo {
        Memo { profiles: Profiles::of_one_runtime(), ..Memo::default() }
    }

    /// A memo whose profiles are kept in a directory.
    #[cfg(test)]
    pub(crate) fn kept_in(directory: std::path::PathBuf) -> Memo {
        Memo { profiles: Profiles::at(Some(directory)), ..Memo::default() }
    }

    pub(crate) fn analysis(&self, kernel: &Kernel) -> Arc<Analysis> {
        if let Some(entry) = self.lock().get(&kernel.id()) {
            return Arc::clone(&entry.analysis);
        }
        let (found, hash) = (Arc::new(Analysis::new(kernel)), measurement::kernel_hash(kernel));
        let mut kernels = self.lock();
        // An entry keeps its kernel and its machine code, so entries of dropped kernels go.
        kernels.retain(|_, entry| !entry.analysis.is_orphaned());
        if kernels.len() >= KEPT
            && let Some(&oldest) = kernels.keys().min()
        {
            kernels.remove(&oldest);
        }
        kernels.entry(kernel.id()).or_insert_with(|| Entry {
            analysis: Arc::clone(&found),
            hash,
            balance: Balance::default(),
            cores: Cores::default(),
            alone: Alone::default(),
        });
        found
    }

    /// Calls `ask` with the balance of a kernel's launches whose data is on devices.
    pub(crate) fn balance<R>(
        &self,
        kernel: &Kernel,
        ask: impl FnOnce(&mut Balance) -> R,
    ) -> Option<R> {
        self.lock().get_mut(&kernel.id()).map(|entry| ask(&mut entry.balance))
    }

    /// Calls `ask` with the state of a kernel's spare cores.
    pub(crate) fn cores<R>(&self, kernel: &Kernel, ask: impl FnOnce(&mut Cores) -> R) -> Option<R> {
        self.lock().get_mut(&kernel.id()).map(|entry| ask(&mut entry.cores))
    }

    /// Calls `ask` with the state of a kernel's launches on one device alone.
    pub(crate) fn alone<R>(&self, kernel: &Kernel, ask: impl FnOnce(&mut Alone) -> R) -> Option<R> {
        self.lock().get_mut(&kernel.id()).map(|entry| ask(&mut entry.alone))
    }

    /// The kept plan for such a launch, and why devices take no part in it.
    pub(crate) fn planned(
        &self,
        question: &Question<'_>,
        arguments: &Arguments<'_>,
    ) -> Option<(Plan, Vec<Option<String>>)> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |planned: &Planned| {
            question.is(&planned.asked)
                && planned.contents.iter().all(|&(binding, number, start)| {
                    version(arguments, binding) == Some((number, start))
                })
        };
        let at = plans.iter().position(same)?;
        let found = plans.remove(at)?;
        let answer = (found.plan.clone(), found.unable.clone());
        plans.push_front(found);
        Some(answer)
    }

    pub(crate) fn keep_plan(
        &self,
        asked: Asked,
        arguments: &Arguments<'_>,
        plan: &Plan,
        unable: &[Option<String>],
    ) {
        let consulted = plan.buffers.iter().filter(|b| b.consulted.is_some());
        let contents = consulted
            .filter_map(|b| version(arguments, b.binding).map(|(n, start)| (b.binding, n, start)))
            .collect();
        let (plan, unable) = (plan.clone(), unable.to_vec());
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        plans.truncate(KEPT_PLANS - 1);
        plans.push_front(Planned { asked, contents, plan, unable });
    }

    /// The expectation for each device before a launch of `groups` workgroups; `None` for a device
    /// that is not able. A reproducible launch does not depend on any measurement.
    pub(crate) fn expect<'d>(
        &self,
        kernel: &Kernel,
        able: impl Iterator<Item = Option<&'d DeviceInfo>>,
        plan: &Plan,
        groups: f64,
        reproducible: bool,
    ) -> Vec<Option<Expected>> {
        let band = groups / plan.bands().len().max(1) as f64;
        let kernel = self.lock().get(&kernel.id()).map_or(0, |entry| entry.hash);
        let device = |info: &DeviceInfo| {
            let device = measurement::device_hash(info);
            let key = Key { kernel, device, class: measurement::class(groups) };
            let (rate, shown, idle) = match reproducible {
                true => (None, [None; 3], 0.0),
                false => {
                    let profiles = &self.profiles;
                    (profiles.rate(key), profiles.roofline(device), profiles.idle(key))
                }
            };
            let measured = rate.map(|rate| Measured { speed: rate.speed / band, ..rate });
            let guess = Roofline::guess(info);
            let roofline = guess.with(shown);
            let speed = |roofline: &Roofline| 1.0 / plan.work.seconds(roofline);
            let known = Known { measured, shown: speed(&roofline), guess: speed(&guess) };
            (known, overhead(info.kind), idle, key, guess, roofline)
        };
        let devices: Vec<_> = able.map(|info| info.map(device)).collect();
        let known: Vec<Option<Known>> = devices.iter().map(|d| d.as_ref().map(|d| d.0)).collect();
        let hold = belief::rooflines_hold(&known);
        let both = devices.into_iter().zip(belief::speeds(&known));
        let expected = both.map(|(device, speed)| {
            let (_, overhead, idle, key, guess, roofline) = device?;
            let prior = Prior { speed: speed?, overhead };
            let roofline = if hold { roofline } else { guess };
            Some(Expected { prior, idle, key, roofline, work: plan.work, band })
        });
        expected.collect()
    }

    /// Records that a device did its part of a launch at `rate` bands per second.
    pub(crate) fn remember(&self, expected: &Expected, rate: f64, report: &DeviceReport) {
        self.profiles.measured(expected.key, rate * expected.band, report.busy);
    }

    /// Records that a device did all of its part of a launch without compiling, which shows its
    /// speed.
    pub(crate) fn remember_roofline(&self, expected: &Expected, report: &DeviceReport) {
        let work = expected.work.times(report.workgroups as f64 / expected.band);
        let moved = (report.uploaded + report.downloaded) as f64;
        let shown = expected.roofline.shown(&work, moved, report.busy.as_secs_f64());
        self.profiles.showed(expected.key.device, shown, report.workgroups, report.busy);
    }

    /// Records that no work of a device counts in a launch that took `took`. `tried`: whether it had a trial.
    pub(crate) fn left_out(&self, expected: &Expected, took: Duration, tried: bool) {
        self.profiles.left_out(expected.key, took, tried);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Entry>> {
        self.kernels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The assumed speed of a kind of device before measurements, relative to the CPU. Only the order of
/// magnitude matters: it decides which device gets the first bands.
pub(crate) fn guess(kind: DeviceKind) -> f64 {
    match kind {
        DeviceKind::DiscreteGpu | DeviceKind::OtherGpu => 100.0,
        DeviceKind::IntegratedGpu => 20.0,
        DeviceKind::Cpu => 1.0,
        // It computes on the CPU's cores, and is slower.
        DeviceKind::SoftwareGpu => 0.3,
    }
}

/// The fixed cost of a run of bands, in seconds: taking it, a submission, a wait.
fn overhead(kind: DeviceKind) -> f64 {
    match kind {
        DeviceKind::Cpu => 10e-6,
        DeviceKind::SoftwareGpu => 150e-6,
        _ => 60e-6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_nobody_has_any_more_is_forgotten() {
        let kernel = |n: u32| {
            let text = format!("const n = {n}u; @compute @workgroup_size(1) fn main() {{}}");
            Kernel::from_wgsl(&text).unwrap()
        };
        let memo = Memo::default();
        let kept = kernel(0);
        memo.analysis(&kept);
        for n in 1..20 {
            memo.analysis(&kernel(n));
        }
        assert_eq!(memo.lock().len(), 2);
        assert!(memo.lock().contains_key(&kept.id()));
    }
}
