//! The launches of a sequence on one GPU, in few submissions and without a wait between them.

use super::checked::Checked;
use super::planning::plan_blind;
use super::recording::{make_room_in_log, record, tend_log};
use super::residency::Ended;
use super::running::Running;
use crate::device::{Cancel, Held, HostBytes};
use crate::error::{Error, FailureKind, Result};
use crate::memory::Reservation;
use crate::pending::Job;
use crate::runtime::fleet::{Quarantined, guarded};
use crate::runtime::report::{DeviceReport, FailureEvent, Remedy};

/// A launch of a sequence, and its memory.
pub(crate) struct Step<'a> {
    pub(crate) checked: &'a Checked,
    pub(crate) memory: Vec<HostBytes<'a>>,
}

/// Runs everything on one device without a wait in between, if that can be done.
pub(crate) fn batch(
    steps: &[Step<'_>],
    times: u32,
    job: &Job,
    buffers: &Reservation,
    events: &mut Vec<FailureEvent>,
) -> Result<Option<Vec<DeviceReport>>> {
    let mut launches = Vec::with_capacity(steps.len());
    for step in steps {
        launches.push(Running::new(plan_blind(step.checked, &step.memory)?, None));
    }
    let Some(device) = common_device(steps, &launches) else { return Ok(None) };
    let all = launches.iter().filter(|launch| !launch.planned.plan.bands().is_empty());
    let all: Vec<&Running<'_>> = all.collect();
    let run = 0..1;
    all.iter().for_each(|launch| make_room_in_log(&launch.planned, &launch.residency));
    let origin =
        record(device, &run, &all.iter().map(|launch| launch.logged()).collect::<Vec<_>>(), times);
    let member = &*steps[0].checked.devices[device].device;
    // What devices had before, the host or the log has still.
    let one_by_one = |error: Error, events: &mut Vec<FailureEvent>| match error.of_device() {
        Ok((id, kind, cause)) => {
            events.push(put_aside(steps[0].checked, device, id, kind, cause));
            job.start_over();
            Ok(None)
        }
        Err(error) => {
            buffers.poison(&error.to_string());
            Err(error)
        }
    };
    // Windows grow to what all steps need before any is bound.
    let mut held: Vec<Vec<Option<Held>>> = Vec::with_capacity(all.len());
    for bound in [false, true] {
        for launch in &all {
            let found = match guarded(member, || {
                launch.residency.bring(&launch.planned, device, &run, false)
            }) {
                Ok(found) => found,
                Err(error) => {
                    for (held, launch) in held.iter().zip(&all) {
                        launch.residency.ended(
                            &launch.planned,
                            device,
                            &run,
                            held,
                            Ended::NotBegun,
                        );
                    }
                    return one_by_one(error, events);
                }
            };
            if bound {
                held.push(found);
            } else {
                launch.residency.ended(&launch.planned, device, &run, &found, Ended::NotBegun);
            }
        }
    }
    let complete = held
        .iter()
        .zip(&all)
        .all(|(held, launch)| launch.residency.all_held(&launch.planned, held));
    let let_go = |how: Ended<'_>| {
        for (held, launch) in held.iter().zip(&all) {
            launch.residency.ended(&launch.planned, device, &run, held, how);
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
        .map(|(launch, held)| (launch.planned.chunk(&run, &[], Some(&cancel), None), held.clone()))
        .collect();
    let ran = guarded(member, || {
        member.run_many(&chunks, times).unwrap_or_else(|| {
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
            return one_by_one(error, events);
        }
    };
    all.iter().for_each(|launch| tend_log(&launch.planned, &launch.residency));
    let mut reports = all[0].planned.blank_reports();
    for launch in &all {
        launch.residency.account(&mut reports);
    }
    let own = &mut reports[device];
    let groups =
        all.iter().map(|s| u64::try_from(s.planned.plan.groups(&run).workgroups()).unwrap_or(0));
    own.workgroups = groups.sum::<u64>().saturating_mul(times.into());
    own.chunks = (all.len() as u32).saturating_mul(times);
    own.share = 1.0;
    own.busy = cost.busy;
    own.uploaded += cost.uploaded;
    Ok(Some(reports))
}

/// A device failed with all launches of a sequence at once: they go on one by one, on others.
fn put_aside(
    checked: &Checked,
    index: usize,
    device: String,
    kind: FailureKind,
    cause: String,
) -> FailureEvent {
    let mut remedy = Remedy::PutAside;
    if kind.quarantines() {
        remedy = Remedy::Quarantined;
        let why = Quarantined { device: device.clone(), kind, cause: cause.clone() };
        checked.resources.fleet.quarantine(index, &checked.devices[index].device, why);
    }
    tracing::warn!(device, %kind, cause, %remedy, "a device failed");
    FailureEvent { device, kind, cause, remedy }
}

/// The device that runs every step whole and can keep all that they touch, if there is one.
fn common_device(steps: &[Step<'_>], launches: &[Running<'_>]) -> Option<usize> {
    let mut device = None;
    for launch in launches.iter().filter(|launch| !launch.planned.plan.bands().is_empty()) {
        let first = *launch.planned.whole_on()?.first()?;
        if *device.get_or_insert(first) != first {
            return None;
        }
    }
    let device = device?;
    steps[0].checked.devices[device].device.runs_many().then_some(device)
}
