//! Executing a checked launch: the devices are put to work, and what they did comes together.
//!
//! Plan and arguments are `session`'s subject, what one device's worker does is `worker`'s.

use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::Runtime;
use super::belief;
use super::failure::{FailureEvent, Failures, Member};
use super::measure::{self, Tightness};
use super::memo::{Expected, guess};
use super::merge::{self, Changes};
use super::report::{DeviceReport, Report, Verified, seconds};
use super::rerun::Counted;
use super::session::Session;
use super::snapshot::Snapshot;
use super::verify::{Computed, Verification};
use super::worker::Shared;
use crate::analysis::{Argument, Arguments};
use crate::device::{Cancel, Chunk, ChunkBinding, DeviceInfo, DeviceKind, HostBytes};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::{Kernel, Space};
use crate::memory::{BufferRange, Copies, PrivateCopy, Reservation};
use crate::pending::Job;
use crate::plan::{Merge, Plan, Policy, Speed, Split, Strategy, Task, Wishes};

/// A launch in which no mistake was found.
pub(super) struct Checked {
    pub(super) runtime: Runtime,
    pub(super) devices: Vec<Member>,
    pub(super) kernel: Kernel,
    pub(super) grid: [u32; 3],
    /// By binding; nothing for values.
    pub(super) buffers: Vec<Option<BufferRange>>,
    /// By binding; empty for buffers.
    pub(super) values: Vec<Vec<u8>>,
    pub(super) wishes: Wishes,
    pub(super) loop_budget: u64,
    pub(super) transactional: bool,
    pub(super) verification: Verification,
}

impl Checked {
    /// Workgroups of the grid.
    pub(super) fn workgroups(&self) -> u64 {
        self.grid.iter().fold(1, |all, &count| all.saturating_mul(u64::from(count)))
    }

    /// Whether what the buffers hold before the launch is kept until its end.
    pub(super) fn keeps_before(&self) -> bool {
        self.transactional || self.verification.fraction > 0.0
    }

    /// What the launch needs of its buffers: name, part, whether it writes.
    pub(super) fn reservations(&self) -> Vec<(String, BufferRange, bool)> {
        let bindings = &self.kernel.signature().bindings;
        self.buffers
            .iter()
            .zip(bindings)
            .filter_map(|(buffer, binding)| {
                let write = binding.space == Space::StorageWrite;
                Some((binding.name.clone(), buffer.clone()?, write))
            })
            .collect()
    }

    /// The granted memory by binding.
    pub(super) fn memory<'a>(&self, views: Vec<HostBytes<'a>>) -> Vec<HostBytes<'a>> {
        let mut views = views.into_iter();
        self.buffers
            .iter()
            .map(|buffer| {
                buffer.as_ref().and_then(|_| views.next()).unwrap_or_else(HostBytes::empty)
            })
            .collect()
    }

    /// `blind` withholds the contents of all buffers.
    /// `absent` is set when the contents of a buffer would have been looked at that the host does
    /// not have.
    pub(super) fn arguments<'a>(
        &'a self,
        memory: &[HostBytes<'a>],
        absent: &'a AtomicBool,
        blind: bool,
    ) -> Arguments<'a> {
        let bindings = self.kernel.signature().bindings.iter();
        let bindings = bindings
            .zip(memory)
            .zip(&self.values)
            .zip(&self.buffers)
            .map(|(((binding, memory), value), buffer)| match binding.space {
                Space::Uniform | Space::Immediate => Argument::Value(value),
                space => Argument::Storage {
                    elements: binding.layout.elements(memory.len() as u64),
                    contents: match buffer {
                        Some(buffer) if space == Space::StorageRead => {
                            let mut contents = buffer.contents(*memory);
                            contents.absent = (blind || !buffer.on_host()).then_some(absent);
                            Some(contents)
                        }
                        _ => None,
                    },
                },
            })
            .collect();
        Arguments { grid: self.grid, bindings }
    }
}

/// Plans a launch and says what came out.
pub(super) fn plan_only(checked: &Checked, buffers: &Reservation) -> Result<Plan> {
    let memory = checked.memory(buffers.wait()?);
    let mut session = Session::new(checked, &memory)?;
    for (device, share) in session.shares().into_iter().enumerate() {
        session.plan.devices[device].share = share;
    }
    Ok(session.plan)
}

/// Plans a launch and measures how tight its footprints are.
pub(super) fn measure(checked: &Checked, buffers: &Reservation) -> Result<Vec<Tightness>> {
    let memory = checked.memory(buffers.wait()?);
    buffers.fetch()?;
    measure::measure(&Session::new(checked, &memory)?)
}

/// Runs a launch to its end. Buffers that it may have begun to write are poisoned on an error.
pub(super) fn run(checked: &Checked, buffers: &Reservation, job: &Job) -> Result<Report> {
    let memory = checked.memory(buffers.wait()?);
    if job.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let session = Session::new(checked, &memory)?;
    session.run(job).map_err(|(error, restored)| {
        if !restored {
            buffers.poison(&error.to_string());
        }
        error
    })
}

/// Runs a launch whose buffers are granted, and leaves it to the caller to poison them on an error.
/// `place` counts the launches that run beside it: each begins with another of the fastest devices.
pub(super) fn run_granted(
    checked: &Checked,
    memory: &[HostBytes<'_>],
    job: &Job,
    place: Option<usize>,
) -> Result<Report> {
    let mut session = Session::new(checked, memory)?;
    session.place = place;
    if place.is_some() {
        // The others have what runs beside it.
        session.alone = None;
    }
    session.run(job).map_err(|(error, _)| error)
}

impl<'a> Session<'a> {
    /// Runs the launch to its end. With an error: whether all buffers are as they were before.
    fn run(self, job: &Job) -> std::result::Result<Report, (Error, bool)> {
        let begun = Instant::now();
        let checked = self.checked;
        let repeated = checked.runtime.inner.log.repeated();
        let mut session = self;
        let mut failures = Failures::default();
        let before = Copies::default();
        loop {
            let mut snapshot = None;
            if checked.keeps_before() {
                // It is taken of the host's memory, where such a launch keeps everything.
                let taken = session.gather().and_then(|()| Snapshot::take(&session, &before));
                snapshot = Some(taken.map_err(|error| (error, false))?);
            }
            match session.work(job, snapshot.as_ref(), &mut failures) {
                Ok((devices, verified)) => {
                    let mut report = session.report(begun, devices, failures.events);
                    report.verified = verified;
                    report.repeated = checked.runtime.inner.log.repeated() - repeated;
                    return Ok(report);
                }
                Err(error) => {
                    // Nobody had the memory for a band, and none is done.
                    let finer = if failures.memory_alone { session.finer() } else { None };
                    let Some(finer) = finer else {
                        if let (true, Some(snapshot)) = (checked.transactional, &snapshot) {
                            snapshot.restore(&session, &session.all());
                            return Err((error, true));
                        }
                        return Err((error, false));
                    };
                    failures.cut_finer(&finer.plan);
                    session = finer;
                }
            }
        }
    }

    /// Reports of devices that did nothing.
    pub(super) fn blank_reports(&self) -> Vec<DeviceReport> {
        let devices = self.checked.devices.iter();
        devices
            .map(|Member { device, .. }| DeviceReport {
                id: device.info().id.clone(),
                name: device.info().name.clone(),
                driver: device.info().driver.clone(),
                ..DeviceReport::default()
            })
            .collect()
    }

    /// The devices that may run the launch if one runs it whole, the first to be asked in front.
    pub(super) fn whole_on(&self) -> Option<Vec<usize>> {
        matches!(self.plan.split, Split::Whole { .. }).then(|| self.order())
    }

    /// What is expected of each device that can run the launch.
    fn expectations(&self) -> Vec<Option<Expected>> {
        let Checked { runtime, kernel, devices, wishes, .. } = self.checked;
        let groups = crate::grid::GroupBox::whole(self.plan.grid).workgroups() as f64;
        let able = devices.iter().zip(&self.unable);
        let able = able.map(|(member, unable)| unable.is_none().then(|| member.device.info()));
        runtime.inner.memo.expect(kernel, able, &self.plan, groups, wishes.reproducible)
    }

    /// Each device's part of all speeds, and whether it was measured; nothing for one that takes no
    /// part.
    fn shares(&self) -> Vec<Option<(f64, bool)>> {
        let devices = self.expectations().into_iter().zip(&self.plan.devices);
        let speeds: Vec<Option<(f64, bool)>> = devices
            .map(|(expected, planned)| match expected?.prior.speed {
                _ if planned.left_out.is_some() => None,
                Speed::Measured(speed) => Some((speed, true)),
                Speed::Estimated(speed) => Some((speed, false)),
            })
            .collect();
        let total: f64 = speeds.iter().flatten().map(|speed| speed.0).sum();
        let part = |(speed, measured): (f64, bool)| (speed / total, measured);
        speeds.into_iter().map(|speed| speed.map(part)).collect()
    }

    /// Drives the devices until everything is computed.
    fn work(
        &self,
        job: &Job,
        snapshot: Option<&Snapshot<'_>>,
        failures: &mut Failures,
    ) -> Result<(Vec<DeviceReport>, Option<Verified>)> {
        let devices = &self.checked.devices;
        let bands = self.plan.bands().len() as u32;
        let mut reports = self.blank_reports();
        if bands == 0 {
            return Ok((reports, None));
        }
        let groups = self.plan.groups(&(0..bands)).workgroups() as f64;
        let begun = Instant::now();
        let memo = &self.checked.runtime.inner.memo;
        let expected = self.expectations();
        let priors: Vec<_> = expected.iter().map(|e| e.as_ref().map(|e| e.prior)).collect();
        // Where only one device runs there is nothing to weigh.
        let whole = matches!(self.plan.split, Split::Whole { .. });
        let fixed = whole || self.checked.wishes.chunks.is_some();
        self.gather()?;
        self.make_room_in_log();
        let reproducible = self.checked.wishes.reproducible;
        let tries = !fixed && !reproducible && self.alone.is_none();
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
                _ if self.alone.is_some_and(|alone| alone != device) => Some(0.0),
                Some(Speed::Measured(speed)) if !tried[device] => Some(speed),
                Some(_) => None,
                None => Some(0.0),
            })
            .collect();
        let homes = if reproducible { None } else { self.homes(&known, fixed) };
        self.settle(homes.as_deref().unwrap_or_default())?;
        let strategy = match reproducible {
            _ if whole => Strategy::Single,
            true => Strategy::Static,
            false if fixed => Strategy::Single,
            // Who takes another's bands moves their data: shares are corrected between launches.
            false if homes.is_some() => Strategy::Static,
            false => Strategy::Adaptive,
        };
        let mut policy = Policy::new(strategy, bands, &priors).with_reruns(self.plan.rerunnable);
        if let Some(homes) = &homes {
            policy = policy.with_homes(homes.clone());
        } else if strategy == Strategy::Adaptive && self.keeps() && self.alone.is_none() {
            // What stays on a device should be of one piece for the next launch.
            policy = policy.with_neighbours();
        }
        if let Some(device) = self.alone {
            policy = policy.alone(device);
        }
        for device in (0..tried.len()).filter(|&device| tried[device]) {
            policy = policy.with_trial(device);
        }
        let depths = devices.iter().map(|member| member.device.depth());
        let shared = Shared::new(policy, Failures::new(devices.len(), &self.events), depths, job);
        let set_up = begun.elapsed();
        // One device needs no thread of its own. A launch that is not split, or that one device does
        // alone, runs on that one; the others are asked only if it fails.
        let mut order = self.order();
        order.sort_by_key(|device| self.alone.is_some_and(|alone| alone != *device));
        if whole || self.alone.is_some() || order.len() == 1 {
            for &index in &order {
                self.worker(index, &shared);
                if shared.lock().over() {
                    break;
                }
            }
        } else {
            std::thread::scope(|scope| {
                let (shared, mut order) = (&shared, order.into_iter());
                let first = order.next();
                for index in order {
                    scope.spawn(move || self.worker(index, shared));
                }
                // The caller's thread has nothing else to do.
                if let Some(first) = first {
                    self.worker(first, shared);
                }
            });
        }
        let (state, mut changes) = shared.into_inner();
        for done in &state.reruns.counted {
            self.account(&mut reports[done.device], done);
        }
        let compiled = |device: usize| {
            let mut counted = state.reruns.counted.iter();
            counted.any(|done| done.device == device && done.cost.compiled)
        };
        let compiled: Vec<bool> = (0..devices.len()).map(compiled).collect();
        let nothing_done = reports.iter().all(|report| report.chunks == 0);
        failures.add(state.failures, nothing_done);
        let (wanted, mut verified) = (self.checked.verification, None);
        if let (None, true, Some(snapshot)) = (&state.stopped, state.policy.finished(), snapshot)
            && wanted.fraction > 0.0
        {
            let (changes, reports) = (&mut changes, &mut reports[..]);
            let done = state.reruns.counted;
            let computed = Computed { done, changes, reports, failures };
            verified = Some(self.verify(wanted, snapshot, &Cancel::new(job), computed)?);
        }
        for (index, report) in reports.iter_mut().enumerate() {
            report.share = report.workgroups as f64 / groups;
            if report.chunks > 0 {
                let chosen = devices[index].device.engine(&self.checked.kernel);
                report.engine = chosen.as_ref().map(|chosen| chosen.engine);
                report.fallback = chosen.and_then(|chosen| chosen.fallback);
            }
            let took_part = report.chunks > 0 || !self.takes_part(index);
            if let (false, Some(alone)) = (took_part, self.alone) {
                let alone = &devices[alone].device.info().id;
                report.left_out =
                    Some(format!("{alone} alone was faster than all together, or is tried"));
            } else if let (0, Some((one, rest))) = (report.chunks, state.policy.refusal(index)) {
                let time = |s: f64| seconds(Duration::from_secs_f64(s.clamp(0.0, 1e9)));
                report.left_out = Some(format!(
                    "its smallest part would have taken it {}, and all that was left was expected to \
                     take the others {}",
                    time(one),
                    time(rest)
                ));
            }
        }
        if state.stopped.is_none() && state.policy.finished() {
            if let Some(homes) = homes.filter(|_| !fixed) {
                self.observe(&homes, reports.iter().map(|report| report.busy));
            }
            let took = begun.elapsed();
            self.note_cores(&reports, groups, took.saturating_sub(set_up));
            if !failures.events.is_empty() {
                self.note_failure();
            } else {
                self.note_way(&reports, took, &|device| {
                    let rate = state.policy.rate(device).or(known[device]);
                    rate.filter(|rate| *rate > 0.0).map(|rate| f64::from(bands) / rate)
                });
            }
            self.tend_log();
        }
        self.keeping.account(&mut reports);
        for (index, report) in reports.iter().enumerate() {
            let Some(expected) = &expected[index] else { continue };
            let took = begun.elapsed().saturating_sub(set_up);
            match state.policy.rate(index) {
                Some(rate) => memo.remember(expected, rate, report),
                None if report.chunks == 0 && tries && self.takes_part(index) => {
                    memo.left_out(expected, took, tried[index]);
                }
                None => {}
            }
            if report.chunks > 0 && !compiled[index] {
                memo.remember_roofline(expected, report);
            }
        }
        match state.stopped {
            Some(error) => Err(error),
            None if state.policy.finished() => {
                if !changes.is_empty() {
                    let bindings = &self.checked.kernel.signature().bindings;
                    let merges: Vec<Merge> =
                        (0..bindings.len()).map(|id| self.plan.merge(id).clone()).collect();
                    merge::apply(changes, self.memory, bindings, &merges);
                }
                Ok((reports, verified))
            }
            None => {
                let unable = self.unable.iter().zip(devices).filter_map(|(why, member)| {
                    Some(format!("  {}: {}", member.device.info().id, why.as_ref()?))
                });
                Err(failures.no_device_left(&self.plan.kernel, unable.collect()))
            }
        }
    }

    /// Takes note of a launch that the CPU shared with GPUs.
    fn note_cores(&self, reports: &[DeviceReport], groups: f64, took: Duration) {
        let kind = |at: usize| self.checked.devices[at].device.info().kind;
        let worked = |cpu: bool| {
            let mut both = reports.iter().enumerate();
            both.any(|(at, report)| report.chunks > 0 && (kind(at) == DeviceKind::Cpu) == cpu)
        };
        if self.fed().is_some() && worked(true) && worked(false) {
            let (left, seconds) = (self.spare > 0, took.as_secs_f64());
            let memo = &self.checked.runtime.inner.memo;
            let kernel = &self.checked.kernel;
            memo.cores(kernel, |cores| cores.observe(left, groups as u64, seconds));
        }
    }

    /// Takes note that a device that was to do it alone may not have.
    fn note_failure(&self) {
        if let (Some(_), Some(workgroups)) = (self.alone, self.may_be_alone()) {
            let memo = &self.checked.runtime.inner.memo;
            memo.alone(&self.checked.kernel, |alone| alone.failed(workgroups));
        }
    }

    /// Takes note of a launch that several devices shared, or one of them did alone. `expected` says what
    /// one would have taken, in seconds.
    fn note_way(
        &self,
        reports: &[DeviceReport],
        took: Duration,
        expected: &dyn Fn(usize) -> Option<f64>,
    ) {
        let Some(workgroups) = self.may_be_alone() else { return };
        let others = |alone| {
            let mut reports = reports.iter().enumerate();
            reports.any(|(device, report)| device != alone && report.chunks > 0)
        };
        if self.alone.is_some_and(others) {
            return;
        }
        let able = (0..reports.len()).filter(|&device| self.takes_part(device));
        let times = able.filter_map(|device| Some((device, expected(device)?)));
        let best = || times.min_by(|a, b| a.1.total_cmp(&b.1));
        let (memo, kernel) = (&self.checked.runtime.inner.memo, &self.checked.kernel);
        let (way, seconds) = (self.alone, took.as_secs_f64());
        memo.alone(kernel, |alone| alone.observe(workgroups, way, seconds, best));
    }

    /// The devices that can take part, the preferred one first.
    fn order(&self) -> Vec<usize> {
        let devices = &self.checked.devices;
        let mut order: Vec<usize> =
            (0..devices.len()).filter(|&i| self.unable[i].is_none()).collect();
        order.sort_by(|&a, &b| {
            let speed = |index: usize| guess(devices[index].device.info().kind);
            speed(b).total_cmp(&speed(a))
        });
        let speed = |index: usize| guess(devices[index].device.info().kind);
        let equals = order.iter().take_while(|&&i| speed(i) == speed(order[0])).count();
        if equals > 1 {
            order[..equals].rotate_left(self.place.unwrap_or(0) % equals);
        }
        order
    }

    /// Memory that one chunk may take on a device.
    pub(super) fn chunk_memory(&self, index: usize) -> u64 {
        let device = &self.checked.devices[index].device;
        self.plan.chunk_memory(device.info(), device.depth())
    }

    /// Copies of the buffers that a chunk must not write in place, with what it needs of them.
    pub(super) fn private_copies(
        &self,
        task: &Task,
        info: &DeviceInfo,
    ) -> Result<Vec<(usize, PrivateCopy<'_>)>> {
        let bindings = &self.checked.kernel.signature().bindings;
        self.copies_of(&info.id, |id| {
            let apart = *self.plan.merge(id) == Merge::Apart;
            // What is computed a second time must not meet what the first does in place.
            let second = task.redoes.is_some() && bindings[id].space == Space::StorageWrite;
            (!apart || second).then(|| self.plan.window(&task.run, id))
        })
    }

    /// Copies of some elements of those buffers of which a chunk needs one.
    pub(super) fn copies_of(
        &self,
        device: &str,
        needed: impl Fn(usize) -> Option<Range<u64>>,
    ) -> Result<Vec<(usize, PrivateCopy<'_>)>> {
        let mut copies = Vec::new();
        for (id, binding) in self.checked.kernel.signature().bindings.iter().enumerate() {
            let Some(elements) = needed(id) else { continue };
            let Some(copy) = self.copies.take(self.memory[id].len()) else {
                self.give_back(&copies);
                return Err(Error::Device {
                    device: device.to_owned(),
                    kind: FailureKind::Refused,
                    doing: format!("make a copy of `{}`", binding.name),
                    cause: "the host has no memory left for it".to_owned(),
                });
            };
            merge::fill(copy.bytes, self.memory[id], binding, &elements);
            copies.push((id, copy));
        }
        Ok(copies)
    }

    pub(super) fn give_back(&self, copies: &[(usize, PrivateCopy<'_>)]) {
        for (_, copy) in copies {
            self.copies.give_back(copy);
        }
    }

    /// What a chunk that is done changed in its copies of buffers that are merged.
    pub(super) fn changes(
        &self,
        run: &Range<u32>,
        copies: &[(usize, PrivateCopy<'_>)],
    ) -> Vec<Changes> {
        let merged = copies.iter().filter(|(id, _)| *self.plan.merge(*id) != Merge::Apart);
        merged.map(|(id, copy)| self.changes_of(run, *id, copy.bytes)).collect()
    }

    /// What a chunk that is done changed in its copy of a buffer.
    pub(super) fn changes_of(&self, run: &Range<u32>, id: usize, copy: HostBytes<'_>) -> Changes {
        let binding = &self.checked.kernel.signature().bindings[id];
        let footprint = self.plan.footprint(run, id);
        let written = (&footprint.may_write.hull(), footprint.writes_header);
        let (buffer, merge) = (self.memory[id], self.plan.merge(id));
        merge::changes(copy, buffer, binding, merge, written, (run.start, id))
    }

    pub(super) fn chunk<'s>(
        &'s self,
        run: &Range<u32>,
        copies: &[(usize, PrivateCopy<'s>)],
        cancel: Option<&'s Cancel<'s>>,
        deadline: Option<Duration>,
    ) -> Chunk<'s> {
        let bindings = self.checked.kernel.signature().bindings.iter().enumerate();
        let bindings = bindings
            .map(|(id, binding)| {
                if binding.space.is_storage() {
                    let copy = copies.iter().find(|copy| copy.0 == id);
                    let memory = copy.map_or(self.memory[id], |(_, copy)| copy.bytes);
                    let (plan, stride) = (&self.plan, binding.layout.stride);
                    plan.chunk_storage(stride, run, id, memory, self.elements[id])
                } else {
                    ChunkBinding::Value(&self.checked.values[id])
                }
            })
            .collect();
        Chunk {
            kernel: &self.checked.kernel,
            grid: self.plan.grid,
            groups: self.plan.groups(run),
            bindings,
            loop_budget: self.checked.loop_budget,
            spare: self.spare,
            deadline,
            cancel,
        }
    }

    /// All bands.
    pub(super) fn all(&self) -> Range<u32> {
        0..self.plan.bands().len() as u32
    }

    pub(super) fn account(&self, report: &mut DeviceReport, done: &Counted) {
        let groups = self.plan.groups(&done.run).workgroups();
        report.chunks += 1;
        report.taken_over += u32::from(done.taken_over);
        report.workgroups += u64::try_from(groups).unwrap_or(u64::MAX);
        report.busy += done.cost.busy;
        report.uploaded += done.cost.uploaded;
        report.downloaded += done.cost.downloaded;
    }

    fn report(
        self,
        begun: Instant,
        devices: Vec<DeviceReport>,
        events: Vec<FailureEvent>,
    ) -> Report {
        let workgroups = crate::grid::GroupBox::whole(self.plan.grid).workgroups();
        Report {
            elapsed: begun.elapsed(),
            workgroups: u64::try_from(workgroups).unwrap_or(u64::MAX),
            devices,
            events,
            repeated: 0,
            verified: None,
            plan: self.plan,
        }
    }
}
