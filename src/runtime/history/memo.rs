//! What a runtime remembers: kernels' analyses, how fast each device ran them (`profile`), and plans.
//!
//! A plan is kept with everything that it follows from: the kernel, the grid, the values, the
//! sizes of the buffers, what was wished, which devices can, and, of buffers whose contents were
//! looked at, the version of the contents.

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

/// Kernels beyond this are forgotten, oldest first; a program has a few dozen.
const KEPT: usize = 256;

/// Plans beyond this are forgotten, oldest first.
const KEPT_PLANS: usize = 64;

#[derive(Default)]
pub(crate) struct Memo {
    kernels: Mutex<HashMap<u64, Entry>>,
    /// The one that was used last in front.
    plans: Mutex<VecDeque<Planned>>,
    profiles: Profiles,
}

/// What a plan follows from, but for the contents of buffers.
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

/// A question that is kept.
#[derive(Debug)]
pub(crate) struct Asked {
    kernel: u64,
    grid: [u32; 3],
    values: Vec<Vec<u8>>,
    elements: Vec<u64>,
    wishes: Wishes,
    unable: Vec<Option<String>>,
}

/// A plan that is kept.
#[derive(Debug)]
struct Planned {
    asked: Asked,
    /// Bindings whose contents were looked at: the version, and where the binding begins in it.
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

/// The version of a binding's contents, and where the binding begins in it.
fn version(arguments: &Arguments<'_>, binding: usize) -> Option<(u64, u64)> {
    match &arguments.bindings[binding] {
        Argument::Storage { contents: Some(contents), .. } => {
            Some((contents.version.number(), contents.start))
        }
        _ => None,
    }
}

/// What is expected of a device in a launch.
pub(crate) struct Expected {
    pub(crate) prior: Prior,
    /// Seconds of launches without the device since it was last measured or tried.
    pub(crate) idle: f64,
    key: Key,
    /// What was believed of the device.
    roofline: Roofline,
    /// What a band costs, and its workgroups.
    work: Work,
    band: f64,
}

struct Entry {
    analysis: Arc<Analysis>,
    /// The same in every run of the program.
    hash: u64,
    /// Of launches whose data is on devices.
    balance: Balance,
    /// Of launches that the CPU shares with GPUs.
    cores: Cores,
    /// Of launches that one device might do alone.
    alone: Alone,
}

impl Memo {
    /// One that neither knows what earlier runtimes measured nor tells later ones.
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
        // An analysis keeps its kernel, and the kernel its machine code.
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

    /// What is known of the balance of a kernel's launches whose data is on devices.
    pub(crate) fn balance<R>(
        &self,
        kernel: &Kernel,
        ask: impl FnOnce(&mut Balance) -> R,
    ) -> Option<R> {
        self.lock().get_mut(&kernel.id()).map(|entry| ask(&mut entry.balance))
    }

    /// What is known of cores that are left for feeding GPUs.
    pub(crate) fn cores<R>(&self, kernel: &Kernel, ask: impl FnOnce(&mut Cores) -> R) -> Option<R> {
        self.lock().get_mut(&kernel.id()).map(|entry| ask(&mut entry.cores))
    }

    /// What is known of launches on one device alone.
    pub(crate) fn alone<R>(&self, kernel: &Kernel, ask: impl FnOnce(&mut Alone) -> R) -> Option<R> {
        self.lock().get_mut(&kernel.id()).map(|entry| ask(&mut entry.alone))
    }

    /// The plan for a launch like this, if there was one, and the devices that it leaves out.
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

    /// A device did its part of a launch, at so many bands per second.
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

    /// Records that a device computed nothing that counts in a launch of length `took`; `tried`
    /// says whether it was tried.
    pub(crate) fn left_out(&self, expected: &Expected, took: Duration, tried: bool) {
        self.profiles.left_out(expected.key, took, tried);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Entry>> {
        self.kernels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How devices that were not measured yet compare, the CPU being 1. Only the order of magnitude
/// matters: it decides which device gets the first bands.
pub(crate) fn guess(kind: DeviceKind) -> f64 {
    match kind {
        DeviceKind::DiscreteGpu | DeviceKind::OtherGpu => 100.0,
        DeviceKind::IntegratedGpu => 20.0,
        DeviceKind::Cpu => 1.0,
        // On the same cores, and slower at it.
        DeviceKind::SoftwareGpu => 0.3,
    }
}

/// Seconds that a run of bands costs a device, however small: handing it out, a launch, a wait.
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
