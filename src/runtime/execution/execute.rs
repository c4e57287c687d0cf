//! Executing a launch: the devices are put to work, and what they did comes together.

use std::time::{Duration, Instant};

use super::checked::Checked;
use super::failures::Failures;
use super::homes::observe;
use super::learning::{note_cores, note_failure, note_way};
use super::measure::{self, Tightness};
use super::merge;
use super::planning::plan_launch;
use super::recording::{make_room_in_log, tend_log};
use super::running::Running;
use super::schedule::Schedule;
use super::shared::Shared;
use super::snapshot::Snapshot;
use super::verify::{Computed, Verifier};
use super::worker::worker;
use crate::device::{Cancel, HostBytes};
use crate::error::{Error, Result};
use crate::grid::GroupBox;
use crate::memory::{Copies, Reservation};
use crate::pending::Job;
use crate::plan::{Merge, Plan, Policy, Split};
use crate::runtime::report::{DeviceReport, Report, Verified, seconds};

/// Plans a launch and says what came out.
pub(crate) fn plan_only(checked: &Checked, buffers: &Reservation) -> Result<Plan> {
    let memory = checked.memory(buffers.wait()?);
    let mut planned = plan_launch(checked, &memory)?;
    for (device, share) in planned.shares().into_iter().enumerate() {
        planned.plan.devices[device].share = share;
    }
    Ok(planned.plan)
}

/// Plans a launch and measures how tight its footprints are.
pub(crate) fn measure(checked: &Checked, buffers: &Reservation) -> Result<Vec<Tightness>> {
    let memory = checked.memory(buffers.wait()?);
    buffers.fetch()?;
    measure::measure(&Running::new(plan_launch(checked, &memory)?, None))
}

/// Runs a launch to its end. Buffers that it may have begun to write are poisoned on an error.
pub(crate) fn run(checked: &Checked, buffers: &Reservation, job: &Job) -> Result<Report> {
    let memory = checked.memory(buffers.wait()?);
    if job.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let running = Running::new(plan_launch(checked, &memory)?, None);
    execute(running, job).map_err(|(error, restored)| {
        if !restored {
            buffers.poison(&error.to_string());
        }
        error
    })
}

/// Runs a launch whose buffers are granted, and leaves it to the caller to poison them on an error.
/// `place` counts the launches that run beside it: each begins with another of the fastest devices.
pub(crate) fn run_granted(
    checked: &Checked,
    memory: &[HostBytes<'_>],
    job: &Job,
    place: Option<usize>,
) -> Result<Report> {
    let running = Running::new(plan_launch(checked, memory)?, place);
    execute(running, job).map_err(|(error, _)| error)
}

/// Runs a launch to its end. With an error: whether all buffers are as they were before.
fn execute(mut running: Running<'_>, job: &Job) -> std::result::Result<Report, (Error, bool)> {
    let begun = Instant::now();
    let checked = running.planned.checked;
    let log = &checked.resources.log;
    let repeated = log.repeated();
    let mut failures = Failures::default();
    let before = Copies::default();
    loop {
        let planned = &running.planned;
        let mut snapshot = None;
        if checked.keeps_before() {
            // It is taken of the host's memory, where such a launch keeps everything.
            let gathered = running.residency.gather(planned);
            let taken = gathered.and_then(|()| Snapshot::take(planned, &before));
            snapshot = Some(taken.map_err(|error| (error, false))?);
        }
        match work(&running, job, snapshot.as_ref(), &mut failures) {
            Ok((devices, verified)) => {
                let workgroups = GroupBox::whole(planned.plan.grid).workgroups();
                return Ok(Report {
                    elapsed: begun.elapsed(),
                    workgroups: u64::try_from(workgroups).unwrap_or(u64::MAX),
                    devices,
                    events: failures.events,
                    repeated: log.repeated() - repeated,
                    verified,
                    plan: running.planned.plan,
                });
            }
            Err(error) => {
                // No device had the memory for a band, and none is done.
                let finer = if failures.memory_alone { running.finer() } else { None };
                let Some(finer) = finer else {
                    if let (true, Some(snapshot)) = (checked.transactional, &snapshot) {
                        snapshot.restore(planned, &planned.all());
                        return Err((error, true));
                    }
                    return Err((error, false));
                };
                failures.cut_finer(&finer.planned.plan);
                running = finer;
            }
        }
    }
}

/// Drives the devices until everything is computed.
fn work(
    running: &Running<'_>,
    job: &Job,
    snapshot: Option<&Snapshot<'_>>,
    failures: &mut Failures,
) -> Result<(Vec<DeviceReport>, Option<Verified>)> {
    let planned = &running.planned;
    let devices = &planned.checked.devices;
    let bands = planned.plan.bands().len() as u32;
    let mut reports = planned.blank_reports();
    if bands == 0 {
        return Ok((reports, None));
    }
    let groups = planned.plan.groups(&(0..bands)).workgroups() as f64;
    let begun = Instant::now();
    running.residency.gather(planned)?;
    make_room_in_log(planned, &running.residency);
    let schedule = Schedule::new(running)?;
    let depths = devices.iter().map(|member| member.device.depth());
    let attempt = Failures::new(devices.len(), &planned.events);
    let Schedule { policy, expected, tries, tried, known, fixed, homes } = schedule;
    let shared = Shared::new(policy, attempt, depths, job);
    let set_up = begun.elapsed();
    drive(running, &shared);
    let (state, mut changes) = shared.into_inner();
    for done in &state.reruns.counted {
        planned.account(&mut reports[done.device], done);
    }
    let compiled = |device: usize| {
        let mut counted = state.reruns.counted.iter();
        counted.any(|done| done.device == device && done.cost.compiled)
    };
    let compiled: Vec<bool> = (0..devices.len()).map(compiled).collect();
    let nothing_done = reports.iter().all(|report| report.chunks == 0);
    failures.add(state.failures, nothing_done);
    let (wanted, mut verified) = (planned.checked.verification, None);
    if let (None, true, Some(snapshot)) = (&state.stopped, state.policy.finished(), snapshot)
        && wanted.fraction > 0.0
    {
        let (changes, reports) = (&mut changes, &mut reports[..]);
        let done = state.reruns.counted;
        let computed = Computed { done, changes, reports, failures };
        let verifier = Verifier { running };
        verified = Some(verifier.verify(wanted, snapshot, &Cancel::new(job), computed)?);
    }
    describe(running, &state.policy, groups, &mut reports);
    if state.stopped.is_none() && state.policy.finished() {
        if let Some(homes) = homes.filter(|_| !fixed) {
            observe(planned, &homes, reports.iter().map(|report| report.busy));
        }
        let took = begun.elapsed();
        note_cores(running, &reports, groups, took.saturating_sub(set_up));
        if !failures.events.is_empty() {
            note_failure(running);
        } else {
            note_way(running, &reports, took, &|device| {
                let rate = state.policy.rate(device).or(known[device]);
                rate.filter(|rate| *rate > 0.0).map(|rate| f64::from(bands) / rate)
            });
        }
        tend_log(planned, &running.residency);
    }
    running.residency.account(&mut reports);
    let memo = &planned.checked.resources.memo;
    for (index, report) in reports.iter().enumerate() {
        let Some(expected) = &expected[index] else { continue };
        let took = begun.elapsed().saturating_sub(set_up);
        match state.policy.rate(index) {
            Some(rate) => memo.remember(expected, rate, report),
            None if report.chunks == 0 && tries && planned.takes_part(index) => {
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
                let bindings = &planned.checked.kernel.signature().bindings;
                let merges: Vec<Merge> =
                    (0..bindings.len()).map(|id| planned.plan.merge(id).clone()).collect();
                merge::apply(changes, planned.memory, bindings, &merges);
            }
            Ok((reports, verified))
        }
        None => {
            let unable = planned.unable.iter().zip(devices).filter_map(|(why, member)| {
                Some(format!("  {}: {}", member.device.info().id, why.as_ref()?))
            });
            Err(failures.no_device_left(&planned.plan.kernel, unable.collect()))
        }
    }
}

/// Runs the workers until they end. One device needs no thread of its own. A launch that is not split, or that one device
/// does alone, runs on that one; the others are asked only if it fails.
fn drive<'s>(running: &'s Running<'_>, shared: &Shared<'s>) {
    let mut order = running.planned.order(running.place);
    order.sort_by_key(|device| running.alone.is_some_and(|alone| alone != *device));
    let whole = matches!(running.planned.plan.split, Split::Whole { .. });
    if whole || running.alone.is_some() || order.len() == 1 {
        for &index in &order {
            worker(running, index, shared);
            if shared.lock().over() {
                break;
            }
        }
        return;
    }
    std::thread::scope(|scope| {
        let mut order = order.into_iter();
        let first = order.next();
        for index in order {
            scope.spawn(move || worker(running, index, shared));
        }
        // The caller's thread has nothing else to do.
        if let Some(first) = first {
            worker(running, first, shared);
        }
    });
}

/// Completes the reports: shares, engines, and why a device did nothing.
fn describe(running: &Running<'_>, policy: &Policy, groups: f64, reports: &mut [DeviceReport]) {
    let planned = &running.planned;
    let devices = &planned.checked.devices;
    for (index, report) in reports.iter_mut().enumerate() {
        report.share = report.workgroups as f64 / groups;
        if report.chunks > 0 {
            let chosen = devices[index].device.engine(&planned.checked.kernel);
            report.engine = chosen.as_ref().map(|chosen| chosen.engine);
            report.fallback = chosen.and_then(|chosen| chosen.fallback);
        }
        let took_part = report.chunks > 0 || !planned.takes_part(index);
        if let (false, Some(alone)) = (took_part, running.alone) {
            let alone = &devices[alone].device.info().id;
            report.left_out =
                Some(format!("{alone} alone was faster than all together, or is tried"));
        } else if let (0, Some((one, rest))) = (report.chunks, policy.refusal(index)) {
            let time = |s: f64| seconds(Duration::from_secs_f64(s.clamp(0.0, 1e9)));
            report.left_out = Some(format!(
                "its smallest part would have taken it {}, and all that was left was expected to \
                 take the others {}",
                time(one),
                time(rest)
            ));
        }
    }
}
