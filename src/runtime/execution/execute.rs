//! Executes a checked launch: runs its devices, and combines their results and reports.
//!
//! `Checked` becomes `Planned` when the buffers are granted, and each attempt to run it is a `Running`. If an
//! attempt fails before any chunk is done, and a device ran out of memory, the next attempt has finer bands.

use std::time::Instant;

use super::checked::Checked;
use super::failures::Failures;
use super::log;
use super::measure::{self, Tightness};
use super::merge;
use super::planned::Planned;
use super::running::Running;
use super::schedule::Schedule;
use super::shared::Shared;
use super::snapshot::Snapshot;
use super::verify::{Computed, Verifier};
use super::worker::Worker;
use crate::device::{Cancel, HostBytes};
use crate::error::{Error, Result};
use crate::memory::{Copies, Reservation};
use crate::pending::Job;
use crate::plan::{Merge, Plan};
use crate::runtime::report::{DeviceReport, Report, Verified};

/// Plans a launch, with the expected share of each device.
pub(crate) fn plan_only(checked: &Checked, buffers: &Reservation) -> Result<Plan> {
    let memory = checked.memory(buffers.wait()?);
    let mut planned = Planned::new(checked, &memory)?;
    for (device, share) in planned.shares().into_iter().enumerate() {
        planned.plan.devices[device].share = share;
    }
    Ok(planned.plan)
}

/// Plans a launch and measures how tight its footprints are.
pub(crate) fn measure(checked: &Checked, buffers: &Reservation) -> Result<Vec<Tightness>> {
    let memory = checked.memory(buffers.wait()?);
    buffers.fetch()?;
    measure::measure(&Planned::new(checked, &memory)?)
}

/// Runs a launch to its end. Buffers that it may have begun to write are poisoned on an error.
pub(crate) fn run(checked: &Checked, buffers: &Reservation, job: &Job) -> Result<Report> {
    let memory = checked.memory(buffers.wait()?);
    if job.is_cancelled() {
        return Err(Error::Cancelled);
    }
    run_planned(Planned::new(checked, &memory)?, job, None).map_err(|(error, restored)| {
        if !restored {
            buffers.poison(&error.to_string());
        }
        error
    })
}

/// Runs a launch whose buffers are granted. On an error, the caller poisons them. `place` is the launch's
/// number among those that run at the same time, if any do.
pub(super) fn run_granted(
    checked: &Checked,
    memory: &[HostBytes<'_>],
    job: &Job,
    place: Option<usize>,
) -> Result<Report> {
    run_planned(Planned::new(checked, memory)?, job, place).map_err(|(error, _)| error)
}

/// Runs a planned launch to its end. An error comes with whether all buffers were restored.
fn run_planned(
    mut planned: Planned<'_>,
    job: &Job,
    place: Option<usize>,
) -> std::result::Result<Report, (Error, bool)> {
    let begun = Instant::now();
    let checked = planned.checked;
    let log = &checked.resources.log;
    let repeated = log.repeated();
    let mut failures = Failures::default();
    let before = Copies::default();
    loop {
        let running = Running::new(&planned, place);
        let mut snapshot = None;
        if checked.keeps_before() {
            // Such a launch has all its buffers in host memory, so the snapshot is taken there.
            let gathered = running.residency.gather();
            let taken = gathered.and_then(|()| Snapshot::take(&planned, &before));
            snapshot = Some(taken.map_err(|error| (error, false))?);
        }
        match attempt(&running, job, snapshot.as_ref(), &mut failures) {
            Ok((devices, verified)) => {
                drop(running);
                let whole = crate::grid::GroupBox::whole(planned.plan.grid);
                return Ok(Report {
                    elapsed: begun.elapsed(),
                    workgroups: u64::try_from(whole.workgroups()).unwrap_or(u64::MAX),
                    devices,
                    events: failures.events,
                    repeated: log.repeated() - repeated,
                    verified,
                    plan: planned.plan,
                });
            }
            Err(error) => {
                // A device had no memory for a band, and no band is done.
                let finer = if failures.memory_alone { planned.finer() } else { None };
                let Some(finer) = finer else {
                    if let (true, Some(snapshot)) = (checked.transactional, &snapshot) {
                        snapshot.restore(&planned, &planned.all());
                        return Err((error, true));
                    }
                    return Err((error, false));
                };
                failures.cut_finer(&finer.plan);
                drop(running);
                planned = finer;
            }
        }
    }
}

/// Makes one attempt: runs the devices until all bands are done, verifies, and merges.
fn attempt(
    running: &Running<'_>,
    job: &Job,
    snapshot: Option<&Snapshot<'_>>,
    failures: &mut Failures,
) -> Result<(Vec<DeviceReport>, Option<Verified>)> {
    let Running { planned, residency, .. } = running;
    let devices = &planned.checked.devices;
    let mut reports = planned.blank_reports();
    if planned.plan.bands().is_empty() {
        return Ok((reports, None));
    }
    let begun = Instant::now();
    residency.gather()?;
    log::make_room(residency);
    let schedule = Schedule::new(running);
    residency.settle(schedule.homes())?;
    let seen = Failures::new(devices.len(), &planned.events);
    let depths = devices.iter().map(|member| member.device.depth());
    let shared = Shared::new(schedule.policy(), seen, depths, job);
    let set_up = begun.elapsed();
    work(running, &schedule, &shared);
    let (state, mut changes) = shared.into_inner();
    let done = state.reruns.counted;
    for one in &done {
        reports[one.device].add_chunk(planned.workgroups(&one.run), &one.cost, one.taken_over);
    }
    let compiled: Vec<bool> = (0..devices.len())
        .map(|device| done.iter().any(|done| done.device == device && done.cost.compiled))
        .collect();
    let nothing_done = reports.iter().all(|report| report.chunks == 0);
    failures.add(state.failures, nothing_done);
    let succeeded = state.stopped.is_none() && state.policy.finished();
    let mut verified = None;
    if let (true, Some(snapshot)) = (succeeded, snapshot)
        && planned.checked.verification.fraction > 0.0
    {
        let (changes, reports) = (&mut changes, &mut reports[..]);
        let cancel = Cancel::new(job);
        let verifier = Verifier { planned, chunks: &running.chunks, snapshot, cancel: &cancel };
        verified = Some(verifier.verify(Computed { done, changes, reports, failures })?);
    }
    let groups = planned.workgroups(&planned.all()) as f64;
    for (index, report) in reports.iter_mut().enumerate() {
        report.share = report.workgroups as f64 / groups;
        if report.chunks > 0 {
            let chosen = devices[index].device.engine(&planned.checked.kernel);
            report.engine = chosen.as_ref().map(|chosen| chosen.engine);
            report.fallback = chosen.and_then(|chosen| chosen.fallback);
        }
        report.left_out = schedule.why_left_out(index, report, &state.policy);
    }
    if succeeded {
        let times = (begun.elapsed(), set_up);
        let failed = !failures.events.is_empty();
        schedule.note_success(&reports, &state.policy, times, failed);
        log::tend(residency);
    }
    residency.account(&mut reports);
    let took = begun.elapsed().saturating_sub(set_up);
    schedule.note_speeds(&reports, &state.policy, &compiled, took);
    if let Some(error) = state.stopped {
        return Err(error);
    }
    if !succeeded {
        let unable = planned.unable.iter().zip(devices).filter_map(|(why, member)| {
            Some(format!("  {}: {}", member.device.info().id, why.as_ref()?))
        });
        return Err(failures.no_device_left(&planned.plan.kernel, unable.collect()));
    }
    if !changes.is_empty() {
        let bindings = &planned.checked.kernel.signature().bindings;
        let merges: Vec<Merge> =
            (0..bindings.len()).map(|id| planned.plan.merge(id).clone()).collect();
        merge::apply(changes, planned.memory, bindings, &merges);
    }
    Ok((reports, verified))
}

/// Runs the workers until the launch is over.
fn work<'s>(running: &'s Running<'s>, schedule: &Schedule<'_>, shared: &Shared<'s>) {
    let order = schedule.order();
    // One device needs no thread of its own. A launch that runs whole, or alone on one device, runs on
    // the first device; the others are fallbacks.
    if schedule.whole || running.alone.is_some() || order.len() == 1 {
        for index in order {
            Worker::new(running, shared, index).run();
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
            scope.spawn(move || Worker::new(running, shared, index).run());
        }
        // The caller's thread has nothing else to do.
        if let Some(first) = first {
            Worker::new(running, shared, first).run();
        }
    });
}
