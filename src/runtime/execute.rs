//! Executing a checked launch: one worker per device that takes part.
//!
//! The protocol. The policy lies under one mutex. A worker takes a run of bands, starts it on its
//! device outside the mutex, and keeps up to `Device::depth` runs in flight; then it finishes the
//! oldest, and tells the policy. A worker with nothing in flight and nothing to take waits on the
//! condition variable: a run may still come back from a device that fails. Every change of the
//! policy notifies all. The workers end when the policy is finished, when their device was put aside, or when a mistake of
//! the kernel (an endless loop) or a cancellation has stopped the launch.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::Runtime;
use super::failure::{self, FailureEvent, Failures, Member, guarded};
use super::log::Recorded;
use super::measure::{self, Tightness};
use super::memo::{Question, guess};
use super::merge::{self, Changes};
use super::report::{DeviceReport, Report, seconds};
use super::rerun::{Counted, Done, Reruns};
use super::residency::{Ended, Keeping};
use super::snapshot::Snapshot;
use super::verify::{Computed, Verification};
use crate::analysis::{Argument, Arguments};
use crate::device::{
    Cancel, Chunk, ChunkBinding, DeviceInfo, DeviceKind, Held, HostBytes, Running,
};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::{Kernel, Space};
use crate::memory::{BufferRange, Copies, Entry, PrivateCopy, Reservation};
use crate::plan::{Merge, Next, Plan, Policy, Speed, Split, Strategy, Task, Wishes, plan};

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
    fn arguments<'a>(
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
    Ok(Session::new(checked, &memory)?.plan)
}

/// Plans a launch and measures how tight its footprints are.
pub(super) fn measure(checked: &Checked, buffers: &Reservation) -> Result<Vec<Tightness>> {
    let memory = checked.memory(buffers.wait()?);
    buffers.fetch()?;
    measure::measure(&Session::new(checked, &memory)?)
}

/// Runs a launch to its end. Buffers that it may have begun to write are poisoned on an error.
pub(super) fn run(checked: &Checked, buffers: &Reservation, cancel: &AtomicBool) -> Result<Report> {
    let memory = checked.memory(buffers.wait()?);
    if cancel.load(Ordering::Relaxed) {
        return Err(Error::Cancelled);
    }
    let session = Session::new(checked, &memory)?;
    session.run(cancel).map_err(|(error, restored)| {
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
    cancel: &AtomicBool,
    place: Option<usize>,
) -> Result<Report> {
    let mut session = Session::new(checked, memory)?;
    session.place = place.unwrap_or(0);
    session.run(cancel).map_err(|(error, _)| error)
}

/// A launch whose buffers are granted.
pub(super) struct Session<'a> {
    pub(super) checked: &'a Checked,
    pub(super) memory: &'a [HostBytes<'a>],
    pub(super) elements: Vec<u64>,
    pub(super) plan: Plan,
    /// Why a device can't, by device.
    pub(super) unable: Vec<Option<String>>,
    /// Failures that were met before anything ran.
    events: Vec<FailureEvent>,
    /// What chunks write to instead of buffers that are merged.
    copies: Copies,
    /// What stays on devices.
    pub(super) keeping: Keeping,
    /// What the log keeps of the launch, or why it keeps nothing.
    pub(super) recorded: OnceLock<Result<Arc<Recorded>, String>>,
    /// Of devices that are equally fast, with which to begin.
    place: usize,
}

impl<'a> Session<'a> {
    pub(super) fn new(checked: &'a Checked, memory: &'a [HostBytes<'a>]) -> Result<Session<'a>> {
        Session::with_bands(checked, memory, checked.wishes.clone())
    }

    /// The launch in finer bands, if it can be cut finer.
    fn finer(&self) -> Option<Session<'a>> {
        if self.checked.wishes.chunks.is_some() {
            return None;
        }
        let bands = self.plan.bands().len();
        let least_bands = (bands as u32).saturating_mul(8).clamp(64, FINEST);
        let wishes = Wishes { least_bands, ..self.checked.wishes.clone() };
        let finer = Session::with_bands(self.checked, self.memory, wishes).ok()?;
        (finer.plan.bands().len() > bands).then_some(finer)
    }

    fn with_bands(
        checked: &'a Checked,
        memory: &'a [HostBytes<'a>],
        asked_for: Wishes,
    ) -> Result<Session<'a>> {
        let absent = AtomicBool::new(false);
        let session = Self::planned(checked, memory, asked_for.clone(), &absent, false)?;
        if !absent.load(Ordering::Relaxed) || session.knows_enough() {
            return Ok(session);
        }
        // The footprints depend on what a device has written: it has to be here first.
        for buffer in checked.buffers.iter().flatten() {
            buffer.fetch(&(0..buffer.len()), &|_, _| {})?;
        }
        Self::planned(checked, memory, asked_for, &AtomicBool::new(false), false)
    }

    /// A launch that is planned without a look at any contents, which may be others when it runs.
    pub(super) fn blind(checked: &'a Checked, memory: &'a [HostBytes<'a>]) -> Result<Session<'a>> {
        let wishes = checked.wishes.clone();
        Self::planned(checked, memory, wishes, &AtomicBool::new(false), true)
    }

    /// Whether the plan would be no better if more contents were known: no footprint had to be
    /// widened, or one device does it all anyway.
    fn knows_enough(&self) -> bool {
        let bands = self.plan.bands().iter();
        let mut footprints = bands.flat_map(|band| &band.footprints);
        self.unable.iter().filter(|why| why.is_none()).count() <= 1
            || footprints.all(|footprint| footprint.unbounded.is_none())
    }

    fn planned(
        checked: &'a Checked,
        memory: &'a [HostBytes<'a>],
        asked_for: Wishes,
        absent: &AtomicBool,
        blind: bool,
    ) -> Result<Session<'a>> {
        let devices = &checked.devices;
        let infos: Vec<&DeviceInfo> = devices.iter().map(|m| m.device.info()).collect();
        let fleet = &checked.runtime.inner.fleet;
        let (mut unable, events) = failure::unable(devices, &checked.kernel, fleet);
        let arguments = checked.arguments(memory, absent, blind);
        let elements: Vec<u64> = arguments
            .bindings
            .iter()
            .map(|argument| match argument {
                Argument::Storage { elements, .. } => *elements,
                Argument::Value(_) => 0,
            })
            .collect();
        let memo = &checked.runtime.inner.memo;
        let question = Question {
            kernel: checked.kernel.id(),
            grid: checked.grid,
            values: &checked.values,
            elements: &elements,
            wishes: &asked_for,
            unable: &unable,
        };
        let keeping = |plan: &Plan| {
            let memories = &checked.runtime.inner.memories;
            let bindings = &checked.kernel.signature().bindings;
            // What is put back or verified is so in the host's memory.
            let nothing = vec![false; plan.apart.len()];
            let apart = if checked.keeps_before() { &nothing[..] } else { &plan.apart };
            let devices = devices.iter().map(|m| &m.device);
            Keeping::new(memories, devices, bindings, &checked.buffers, apart)
        };
        if let Some((plan, unable)) = memo.planned(&question, &arguments) {
            let (copies, keeping) = (Copies::default(), keeping(&plan));
            return Ok(Session {
                checked,
                memory,
                elements,
                plan,
                unable,
                events,
                copies,
                keeping,
                recorded: OnceLock::new(),
                place: 0,
            });
        }
        let asked = question.to_owned();
        let analysis = memo.analysis(&checked.kernel);
        let mut wishes = asked_for.clone();
        let mut made;
        loop {
            let Some(preferred) = preferred(&infos, &unable) else {
                return Err(failure::no_device(&checked.kernel, &infos, &unable));
            };
            made =
                plan(&checked.kernel, &analysis, &arguments, &infos, &unable, preferred, &wishes);
            let misfit = first_misfit(&checked.kernel, &made, devices, &unable);
            let Some((device, why)) = misfit else { break };
            // Finer bands have smaller windows; where they do not help the device can't.
            let finer = (made.bands().len() as u32).saturating_mul(4).max(64);
            let whole_for_good =
                matches!(made.split, Split::Whole { .. }) && wishes.least_bands > 1;
            let finest = made.grid.iter().copied().max().unwrap_or(1).min(FINEST);
            if checked.wishes.chunks.is_none()
                && !whole_for_good
                && (made.bands().len() as u32) < finest
            {
                wishes.least_bands = finer.min(FINEST);
            } else {
                unable[device] = Some(why);
                wishes = asked_for.clone();
            }
        }
        if !absent.load(Ordering::Relaxed) {
            memo.keep_plan(asked, &arguments, &made, &unable);
        }
        let (plan, copies, keeping) = (made.clone(), Copies::default(), keeping(&made));
        let recorded = OnceLock::new();
        Ok(Session {
            checked,
            memory,
            elements,
            plan,
            unable,
            events,
            copies,
            keeping,
            recorded,
            place: 0,
        })
    }

    /// Runs the launch to its end. With an error: whether all buffers are as they were before.
    fn run(self, cancel: &AtomicBool) -> std::result::Result<Report, (Error, bool)> {
        let begun = Instant::now();
        let checked = self.checked;
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
            match session.work(cancel, snapshot.as_ref(), &mut failures) {
                Ok(devices) => return Ok(session.report(begun, devices, failures.events)),
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
                ..DeviceReport::default()
            })
            .collect()
    }

    /// The devices that may run the launch if one runs it whole, the first to be asked in front.
    pub(super) fn whole_on(&self) -> Option<Vec<usize>> {
        matches!(self.plan.split, Split::Whole { .. }).then(|| self.order())
    }

    /// Drives the devices until everything is computed.
    fn work(
        &self,
        cancel: &AtomicBool,
        snapshot: Option<&Snapshot<'_>>,
        failures: &mut Failures,
    ) -> Result<Vec<DeviceReport>> {
        let devices = &self.checked.devices;
        let bands = self.plan.bands().len() as u32;
        let mut reports = self.blank_reports();
        if bands == 0 {
            return Ok(reports);
        }
        let groups = self.plan.groups(&(0..bands)).workgroups() as f64;
        let memo = &self.checked.runtime.inner.memo;
        let expected: Vec<_> = devices
            .iter()
            .zip(&self.unable)
            .map(|(member, unable)| {
                let fixed = self.checked.wishes.reproducible;
                let (kernel, info) = (&self.checked.kernel, member.device.info());
                unable.is_none().then(|| memo.expect(kernel, info, &self.plan, groups, fixed))
            })
            .collect();
        let priors: Vec<_> = expected.iter().map(|e| e.as_ref().map(|e| e.prior)).collect();
        // Where only one device runs there is nothing to weigh.
        let whole = matches!(self.plan.split, Split::Whole { .. });
        let fixed = whole || self.checked.wishes.chunks.is_some();
        self.gather()?;
        self.make_room_in_log();
        let known: Vec<Option<f64>> = priors
            .iter()
            .map(|prior| match prior.map(|prior| prior.speed) {
                Some(Speed::Measured(speed)) => Some(speed),
                Some(Speed::Estimated(_)) => None,
                None => Some(0.0),
            })
            .collect();
        let reproducible = self.checked.wishes.reproducible;
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
        if let Some(homes) = homes {
            policy = policy.with_homes(homes);
        }
        let depth = |member: &Member| member.device.depth().max(1);
        let shared = Shared {
            state: Mutex::new(State {
                policy,
                turn: 0,
                stopped: None,
                failures: Failures::new(devices.len(), &self.events),
                reruns: Reruns::default(),
            }),
            slots: devices
                .iter()
                .map(|member| (0..depth(member)).map(|_| Cancel::new(cancel)).collect())
                .collect(),
            begun: Instant::now(),
            changed: Condvar::new(),
            changes: Mutex::default(),
        };
        // One device needs no thread of its own. A launch that is not split runs on the
        // preferred device; the others are asked only if it fails.
        let order = self.order();
        if whole || order.len() == 1 {
            for &index in &order {
                self.worker(index, &shared, cancel);
                if shared.lock().over() {
                    break;
                }
            }
        } else {
            std::thread::scope(|scope| {
                for index in 0..devices.len() {
                    if self.unable[index].is_none() {
                        let shared = &shared;
                        scope.spawn(move || self.worker(index, shared, cancel));
                    }
                }
            });
        }
        let mut changes = shared.changes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let state = shared.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        for done in &state.reruns.counted {
            self.account(&mut reports[done.device], done);
        }
        let nothing_done = reports.iter().all(|report| report.chunks == 0);
        failures.add(state.failures, nothing_done);
        let wanted = self.checked.verification;
        if let (None, true, Some(snapshot)) = (&state.stopped, state.policy.finished(), snapshot)
            && wanted.fraction > 0.0
        {
            let (changes, reports) = (&mut changes, &mut reports[..]);
            let done = state.reruns.counted;
            let computed = Computed { done, changes, reports, failures };
            self.verify(wanted, snapshot, &Cancel::new(cancel), computed)?;
        }
        for (index, report) in reports.iter_mut().enumerate() {
            report.share = report.workgroups as f64 / groups;
            if report.chunks > 0 {
                report.engine = devices[index].device.engine(&self.checked.kernel);
            }
            if let (0, Some((one, rest))) = (report.chunks, state.policy.refusal(index)) {
                let time = |s: f64| seconds(Duration::from_secs_f64(s.clamp(0.0, 1e9)));
                report.left_out = Some(format!(
                    "its smallest part would have taken it {}, and all that was left was expected to \
                     take the others {}",
                    time(one),
                    time(rest)
                ));
            }
            if let (Some(rate), Some(expected)) = (state.policy.rate(index), &expected[index]) {
                memo.remember(expected, rate, report.busy);
            }
        }
        if state.stopped.is_none() && state.policy.finished() {
            self.tend_log();
        }
        self.keeping.account(&mut reports);
        match state.stopped {
            Some(error) => Err(error),
            None if state.policy.finished() => {
                if !changes.is_empty() {
                    let bindings = &self.checked.kernel.signature().bindings;
                    let merges: Vec<Merge> =
                        (0..bindings.len()).map(|id| self.plan.merge(id).clone()).collect();
                    merge::apply(changes, self.memory, bindings, &merges);
                }
                Ok(reports)
            }
            None => {
                let unable = self.unable.iter().zip(devices).filter_map(|(why, member)| {
                    Some(format!("  {}: {}", member.device.info().id, why.as_ref()?))
                });
                let causes = unable.chain(failures.causes.drain(..)).collect();
                Err(Error::NoDevice { kernel: self.plan.kernel.clone(), causes })
            }
        }
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
            order[..equals].rotate_left(self.place % equals);
        }
        order
    }

    fn worker<'s>(&'s self, index: usize, shared: &Shared<'s>, cancel: &AtomicBool) {
        let device = &*self.checked.devices[index].device;
        let mut flight: VecDeque<InFlight<'_, 's>> = VecDeque::new();
        let mut last = Instant::now();
        loop {
            let mut seen = None;
            while flight.len() < shared.lock().failures.depth(index, device.depth().max(1)) {
                let (task, slot) = match self.next(index, device.info(), shared, cancel) {
                    Ok(next) => next,
                    Err(now) => {
                        seen = Some(now);
                        break;
                    }
                };
                let (run, second) = (&task.run, task.redoes.is_some());
                let begun = Instant::now();
                let origin = if second { None } else { self.record(index, run) };
                let held = match guarded(device, || self.bring(index, run, second)) {
                    Ok(held) => held,
                    Err(error) => {
                        self.no_result(index, &task, error, flight.len(), shared);
                        continue;
                    }
                };
                let brought = begun.elapsed();
                let copies = match self.private_copies(&task, device.info()) {
                    Ok(copies) => copies,
                    Err(error) => {
                        self.ended(index, run, &held, Ended::NotBegun);
                        self.failed(index, &task, error, flight.len(), shared);
                        continue;
                    }
                };
                let deadline = self.deadline(index, run, shared);
                let cancel = Some(&shared.slots[index][slot]);
                let chunk = self.chunk(run, &copies, cancel, deadline);
                match guarded(device, || device.start_with(chunk, &held)) {
                    Ok(running) => {
                        let one = InFlight { task, running, copies, held, brought, origin };
                        flight.push_back(one);
                    }
                    Err(error) => {
                        // A device that only refused the chunk has not begun it.
                        let refused = matches!(
                            &error, Error::Device { kind, .. } if !kind.quarantines()
                        );
                        let begun = !refused && !second;
                        let how = if begun { Ended::Failed } else { Ended::NotBegun };
                        self.ended(index, run, &held, how);
                        self.no_result(index, &task, error, flight.len(), shared);
                        self.give_back(&copies);
                    }
                }
            }
            let Some(InFlight { task, running, copies, held, brought, origin }) =
                flight.pop_front()
            else {
                if shared.wait_for_more(index, seen) {
                    last = Instant::now();
                    continue;
                }
                return;
            };
            let outcome = guarded(device, || running.finish());
            // What was computed a second time lies in copies.
            let how = match &outcome {
                _ if task.redoes.is_some() => Ended::NotBegun,
                Ok(cost) => {
                    origin.iter().for_each(|origin| origin.took(cost.busy));
                    Ended::Done(origin.as_ref())
                }
                Err(_) => Ended::Failed,
            };
            self.ended(index, &task.run, &held, how);
            match outcome {
                Ok(mut cost) => {
                    // A chunk that waited behind another in the device's queue was not busy then.
                    cost.busy = (cost.busy + brought).min(last.elapsed());
                    last = Instant::now();
                    let changes = self.changes(&task.run, &copies);
                    self.done(Done { device: index, task, cost, copies, changes }, shared);
                }
                Err(error) => {
                    self.no_result(index, &task, error, flight.len(), shared);
                    self.give_back(&copies);
                }
            }
        }
    }

    /// The next task for a device, or the state of affairs in which there was none.
    fn next(
        &self,
        index: usize,
        info: &DeviceInfo,
        shared: &Shared<'_>,
        cancel: &AtomicBool,
    ) -> Result<(Task, usize), Seen> {
        let mut state = shared.lock();
        if cancel.load(Ordering::Relaxed) && !state.policy.finished() {
            state.stopped.get_or_insert(Error::Cancelled);
            state.turn += 1;
            shared.changed.notify_all();
        }
        if state.stopped.is_some() {
            return Err(Seen { turn: state.turn, until: None });
        }
        let mut most = state.failures.most(index);
        if !info.kind.shares_cpu_cores()
            && let Some(rate) = state.policy.rate(index)
        {
            most = most.min((rate * WATCHDOG).clamp(1.0, f64::from(u32::MAX)) as u32);
        }
        let (memory, kernel) = (self.chunk_memory(index), &self.checked.kernel);
        let stays = self.stays_on(index);
        // What stays on the device is there already.
        let mut fits = |run: &Range<u32>| {
            run.end - run.start <= most
                && (stays || self.plan.fits(kernel, run, info, memory).is_ok())
        };
        match state.policy.take(index, shared.now(), &mut fits) {
            Next::Run(task) => {
                let slot = state.reruns.placed(task.id, index, &shared.slots);
                Ok((task, slot))
            }
            Next::Wait(until) => Err(Seen { turn: state.turn, until }),
        }
    }

    /// Memory that one chunk may take on a device.
    fn chunk_memory(&self, index: usize) -> u64 {
        let device = &self.checked.devices[index].device;
        self.plan.chunk_memory(device.info(), device.depth())
    }

    /// Copies of the buffers that a chunk must not write in place, with what it needs of them.
    fn private_copies(
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

    /// How long a chunk may take: much longer than by the measured speed, and never too short.
    fn deadline(&self, device: usize, run: &Range<u32>, shared: &Shared) -> Option<Duration> {
        let least = self.checked.runtime.inner.patience;
        let software = self.checked.devices[device].device.info().kind.shares_cpu_cores();
        let rate = shared.lock().policy.rate(device);
        let Some(rate) = rate.filter(|rate| *rate > 0.0) else {
            // Four times what a chunk of known speed would have; else it is the device's to say.
            return least.map(|least| least * 4);
        };
        // What computes on the CPU's cores may be kept from them by others.
        let usual = Duration::from_secs(if software { 600 } else { 30 });
        let expected = f64::from(run.end - run.start) / rate;
        let long = Duration::try_from_secs_f64(expected * 30.0).unwrap_or(Duration::MAX);
        Some(long.max(least.unwrap_or(usual)))
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
                    self.plan.chunk_storage(run, id, memory, self.elements[id])
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
            plan: self.plan,
        }
    }
}

/// Bands beyond this cost more to analyse than they gain.
const FINEST: u32 = 4096;

/// A worker that waits looks again after so many seconds, whatever it expects.
const LONGEST: f64 = 60.0;

/// Seconds that a chunk on a GPU takes at most, if it can be cut finer: many systems reset one that
/// computes for two, and a screen that hangs on it does not move meanwhile.
const WATCHDOG: f64 = 0.5;

/// A chunk that a device has been given.
struct InFlight<'a, 's> {
    task: Task,
    running: Box<dyn Running + 'a>,
    copies: Vec<(usize, PrivateCopy<'s>)>,
    held: Vec<Option<Held>>,
    /// How long it took to bring what was missing.
    brought: Duration,
    /// How to compute again what stays on the device.
    origin: Option<Arc<Entry>>,
}

/// What the workers of a launch share.
pub(super) struct Shared<'s> {
    state: Mutex<State<'s>>,
    /// By device: what calls off its chunks in flight.
    pub(super) slots: Vec<Vec<Cancel<'s>>>,
    /// The policy's time zero.
    begun: Instant,
    changed: Condvar,
    /// What chunks that are done changed in buffers that are merged.
    pub(super) changes: Mutex<Vec<Changes>>,
}

/// The turn in which a worker found nothing to take, and until when that holds.
#[derive(Clone, Copy)]
struct Seen {
    turn: u64,
    until: Option<f64>,
}

pub(super) struct State<'s> {
    pub(super) policy: Policy,
    /// Counts the changes, so that a worker that found nothing to take can tell whether something
    /// changed before it went to sleep.
    turn: u64,
    /// What ended the launch before its time.
    pub(super) stopped: Option<Error>,
    pub(super) failures: Failures,
    pub(super) reruns: Reruns<'s>,
}

impl State<'_> {
    fn over(&self) -> bool {
        self.stopped.is_some() || self.policy.finished() && self.reruns.settled()
    }
}

impl<'s> Shared<'s> {
    pub(super) fn lock(&self) -> MutexGuard<'_, State<'s>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seconds since the launch began, by the policy's clock.
    pub(super) fn now(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Lets go of the state and tells all workers that it changed.
    pub(super) fn tell(&self, mut state: MutexGuard<'_, State<'s>>) {
        state.turn += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Blocks a worker that has nothing in flight until something changed since `seen`; false
    /// when it should end.
    fn wait_for_more(&self, device: usize, seen: Option<Seen>) -> bool {
        let mut state = self.lock();
        loop {
            if state.over() || !state.policy.takes_part(device) {
                return false;
            }
            let Some(Seen { turn, until }) = seen else { return true };
            if turn != state.turn {
                return true;
            }
            state = match until {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) if self.now() >= until => return true,
                Some(until) => {
                    let time = Duration::from_secs_f64((until - self.now()).clamp(0.0, LONGEST));
                    let waited = self.changed.wait_timeout(state, time);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// The device that gets a launch that is not split: the fastest by kind, of equals the first.
fn preferred(infos: &[&DeviceInfo], unable: &[Option<String>]) -> Option<usize> {
    (0..infos.len())
        .filter(|&i| unable[i].is_none())
        .reduce(|best, i| if guess(infos[i].kind) > guess(infos[best].kind) { i } else { best })
}

/// The first device, among those that the plan uses, for which some single band is too large.
fn first_misfit(
    kernel: &Kernel,
    plan: &Plan,
    members: &[Member],
    unable: &[Option<String>],
) -> Option<(usize, String)> {
    let bands = plan.bands().len() as u32;
    let info = |i: usize| members[i].device.info();
    (0..members.len())
        .filter(|&i| {
            unable[i].is_none()
                && plan.devices[i].left_out.is_none()
                && info(i).kind != DeviceKind::Cpu
        })
        .find_map(|i| {
            let memory = plan.chunk_memory(info(i), members[i].device.depth());
            (0..bands).find_map(|band| {
                let why = plan.fits(kernel, &(band..band + 1), info(i), memory).err()?;
                Some((i, why))
            })
        })
}
