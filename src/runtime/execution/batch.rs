//! Runs all launches of a sequence on one device, without a wait between them.
//!
//! This requires that one device runs every launch whole, and that its memory holds all buffers that they
//! touch. Otherwise, or if the device fails, the launches run in levels (`levels.rs`).

use super::levels::Step;
use super::log;
use super::planned::Planned;
use super::residency::Ended;
use super::running::Running;
use crate::device::{Cancel, Held};
use crate::error::{Error, Result};
use crate::memory::Reservation;
use crate::pending::Job;
use crate::runtime::fleet::guarded;
use crate::runtime::report::{DeviceReport, FailureEvent, Remedy, SequenceReport};

/// Runs all steps `times` times on one device. `None`: they have to run in levels.
pub(crate) fn batch(
    steps: &[Step<'_>],
    times: u32,
    job: &Job,
    buffers: &Reservation,
    report: &mut SequenceReport,
) -> Result<Option<Vec<DeviceReport>>> {
    let planned = steps.iter().map(|step| Planned::blind(step.checked, &step.memory));
    let planned: Vec<Planned<'_>> = planned.collect::<Result<_>>()?;
    let Some(device) = common_device(&planned) else { return Ok(None) };
    let all = planned.iter().filter(|planned| !planned.plan.bands().is_empty());
    let all: Vec<Running<'_>> = all.map(|planned| Running::new(planned, None)).collect();
    let run = 0..1;
    all.iter().for_each(|launch| log::make_room(&launch.residency));
    let recordings: Vec<_> = all.iter().map(|one| (&one.recording, &one.residency)).collect();
    let origin = log::record(device, &run, &recordings, times);
    let checked = steps[0].checked;
    let member = &checked.devices[device];
    let hardware = &*member.device;
    // The host has all bytes that the failed device held, or the log can compute them again.
    let one_by_one = |error: Error, report: &mut SequenceReport| match error.of_device() {
        Ok((id, kind, cause)) => {
            let remedy = match kind.quarantines() {
                true => Remedy::Quarantined,
                false => Remedy::PutAside,
            };
            let event = FailureEvent { device: id, kind, cause, remedy };
            checked.resources.fleet.record_failure(device, member, &event);
            report.events.push(event);
            job.start_over();
            Ok(None)
        }
        Err(error) => {
            buffers.poison(&error.to_string());
            Err(error)
        }
    };
    // The first pass grows each window to the size that all steps need, before the second binds any.
    let mut held: Vec<Vec<Option<Held>>> = Vec::with_capacity(all.len());
    for bound in [false, true] {
        for launch in &all {
            let found = match guarded(hardware, || launch.residency.bring(device, &run, false)) {
                Ok(found) => found,
                Err(error) => {
                    for (held, launch) in held.iter().zip(&all) {
                        launch.residency.ended(device, &run, held, Ended::NotBegun);
                    }
                    return one_by_one(error, report);
                }
            };
            if bound {
                held.push(found);
            } else {
                launch.residency.ended(device, &run, &found, Ended::NotBegun);
            }
        }
    }
    let complete = held.iter().zip(&all).all(|(held, launch)| launch.residency.all_held(held));
    let let_go = |how: Ended<'_>| {
        for (held, launch) in held.iter().zip(&all) {
            launch.residency.ended(device, &run, held, how);
        }
    };
    if !complete {
        let_go(Ended::NotBegun);
        return Ok(None);
    }
    let cancel = Cancel::new(job);
    let chunks: Vec<_> = all
        .iter()
        .zip(&held)
        .map(|(launch, held)| (launch.chunks.chunk(&run, &[], Some(&cancel), None), held.clone()))
        .collect();
    let ran = guarded(hardware, || {
        hardware.run_many(&chunks, times).unwrap_or_else(|| {
            Err(Error::Internal {
                place: "runtime::sequence".to_owned(),
                cause: "the device can't run many".to_owned(),
            })
        })
    });
    let cost = match ran {
        Ok(cost) => {
            origin.iter().for_each(|origin| origin.took(cost.busy));
            let_go(Ended::Done(origin.as_ref()));
            cost
        }
        Err(error) => {
            let_go(Ended::Failed);
            return one_by_one(error, report);
        }
    };
    all.iter().for_each(|launch| log::tend(&launch.residency));
    let mut reports = all[0].planned.blank_reports();
    for launch in &all {
        launch.residency.account(&mut reports);
    }
    let own = &mut reports[device];
    let groups = all.iter().map(|launch| launch.planned.workgroups(&run));
    own.workgroups = groups.sum::<u64>().saturating_mul(times.into());
    own.chunks = (all.len() as u32).saturating_mul(times);
    own.share = 1.0;
    own.busy = cost.busy;
    own.uploaded += cost.uploaded;
    Ok(Some(reports))
}

/// The device that runs every step whole and can run them as one list, if there is one.
fn common_device(launches: &[Planned<'_>]) -> Option<usize> {
    let mut device = None;
    for launch in launches.iter().filter(|launch| !launch.plan.bands().is_empty()) {
        let first = *launch.whole_on()?.first()?;
        if *device.get_or_insert(first) != first {
            return None;
        }
    }
    let device = device?;
    launches[0].checked.devices[device].device.runs_many().then_some(device)
}
