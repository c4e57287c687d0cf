//! Chunks that are computed once more, on another device, and compared.
//!
//! When all is computed and before anything is merged, a sample of the work is done again on
//! copies that hold what the launch began with, by another device than did it: another of the
//! runtime, else the CPU's interpreter. Values must agree within the launch's tolerance; integers
//! to the bit by default. Where they do not, a third device, at last the interpreter, decides which
//! one is right. If it is the one that verified, all that the other computed in this launch is
//! computed again, and it is quarantined. If all three differ the launch fails.
//!
//! The results of a kernel may rightly differ between two devices if they depend on the order of
//! its invocations or on the subgroup size (`Plan::shows_order`). Its launches are not verified,
//! and the report says why.

use std::ops::Range;
use std::sync::Arc;

use super::failures::Failures;
use super::merge::{self, Changes};
use super::reruns::Counted;
use super::running::Running;
use super::snapshot::Snapshot;
use super::tolerance::Verification;
use super::values::{Mismatch, Values, differ, values_of};
use crate::cpu::SUBGROUP_SIZES;
use crate::device::{Cancel, ChunkCost, Device};
use crate::error::{Error, FailureKind, Result};
use crate::memory::PrivateCopy;
use crate::plan::Merge;
use crate::runtime::fleet::{self, Quarantined, draw, guarded};
use crate::runtime::report::{DeviceReport, FailureEvent, Remedy, Verified};

/// What a launch has computed so far.
pub(crate) struct Computed<'a> {
    pub(crate) done: Vec<Counted>,
    pub(crate) changes: &'a mut Vec<Changes>,
    pub(crate) reports: &'a mut [DeviceReport],
    pub(crate) failures: &'a mut Failures,
}

/// Who verifies: a device of the runtime, or the interpreter.
struct Judge {
    index: Option<usize>,
    device: Arc<dyn Device>,
    name: String,
}

/// Verifies a launch that has computed everything.
pub(crate) struct Verifier<'r, 'a> {
    pub(crate) running: &'r Running<'a>,
}

impl Verifier<'_, '_> {
    /// Why the launch is not verified: two devices may both be right, or the interpreter can't
    /// decide.
    fn unverifiable(&self) -> Option<String> {
        if let Some(why) = &self.running.planned.plan.shows_order {
            return Some(why.to_string());
        }
        let size =
            self.running.planned.plan.subgroup_size.filter(|size| !SUBGROUP_SIZES.contains(size));
        size.map(|size| format!("the reference interpreter has no subgroups of {size} invocations"))
    }

    /// Verifies a sample, and puts right what turns out to be wrong.
    pub(crate) fn verify(
        &self,
        wanted: Verification,
        snapshot: &Snapshot<'_>,
        cancel: &Cancel<'_>,
        mut computed: Computed<'_>,
    ) -> Result<Verified> {
        let mut verified = Verified { within: wanted.tolerance.to_string(), ..Verified::default() };
        verified.not_done = self.unverifiable();
        if verified.not_done.is_some() {
            return Ok(verified);
        }
        let name =
            |index: usize| self.running.planned.checked.devices[index].device.info().id.clone();
        let mut bad: Vec<usize> = Vec::new();
        for (device, run) in self.sample(&computed.done, wanted.fraction) {
            if bad.contains(&device) {
                continue;
            }
            let theirs = values_of(&self.running.planned, &run, None, computed.changes);
            let mut judges = self.judges(device, &bad);
            let (judge, ours) =
                self.answer(&mut judges, &run, snapshot, cancel, computed.failures)?;
            let groups = u64::try_from(self.running.planned.plan.groups(&run).workgroups())
                .unwrap_or(u64::MAX);
            verified.add(&name(device), &judge.name, groups);
            let compare =
                |a: &Values, b: &Values| differ(&self.running.planned, a, b, wanted.tolerance);
            let Some(mismatch) = compare(&theirs, &ours) else { continue };
            verified.disputes += 1;
            let (third, decides) = match judge.index {
                // The interpreter has the last word.
                None => (judge.name.clone(), ours.clone()),
                Some(_) => {
                    let (third, values) =
                        self.answer(&mut judges, &run, snapshot, cancel, computed.failures)?;
                    (third.name, values)
                }
            };
            let Mismatch { place, first, second, few } = &mismatch;
            let hint = match few {
                true => " (if these are computed from floats, give a tolerance for integers)",
                false => "",
            };
            let cause = |right: &[&str], wrong_value: &str, right_value: &str| {
                let compute = if right.len() == 1 { "computes" } else { "compute" };
                let right = right.join(" and ");
                format!("{place} is {wrong_value}, and {right} {compute} {right_value}{hint}")
            };
            if compare(&ours, &decides).is_none() {
                let both = [judge.name.as_str(), third.as_str()];
                let right = if judge.index.is_none() { &both[..1] } else { &both[..] };
                self.convict(device, cause(right, first, second), computed.failures);
                bad.push(device);
                self.redo(device, &judge, snapshot, cancel, &mut computed)?;
            } else if compare(&theirs, &decides).is_none()
                && let Some(index) = judge.index
            {
                let right = [name(device), third];
                let right = [right[0].as_str(), right[1].as_str()];
                self.convict(index, cause(&right, second, first), computed.failures);
                bad.push(index);
                self.redo(
                    index,
                    &Judge { index: Some(device), ..self.judge(device) },
                    snapshot,
                    cancel,
                    &mut computed,
                )?;
            } else {
                return Err(Error::Device {
                    device: name(device),
                    kind: FailureKind::WrongAnswer,
                    doing: "compute what others compute".to_owned(),
                    cause: format!(
                        "{}; {third} differs from both",
                        cause(&[&judge.name], first, second)
                    ),
                });
            }
        }
        Ok(verified)
    }

    /// Some of the work: single bands, or whole runs where the bands of a run wrote to one copy.
    /// At least one piece of each device.
    fn sample(&self, done: &[Counted], fraction: f64) -> Vec<(usize, Range<u32>)> {
        let bindings = 0..self.running.planned.checked.kernel.signature().bindings.len();
        let apart =
            bindings.into_iter().all(|id| *self.running.planned.plan.merge(id) == Merge::Apart);
        let mut pieces = Vec::new();
        for Counted { device, run, .. } in done {
            let device = *device;
            match apart {
                true => {
                    pieces.extend(run.clone().map(|band| (device, band..band + 1)));
                }
                false => pieces.push((device, run.clone())),
            }
        }
        let mut seen: Vec<usize> = Vec::new();
        let seed =
            u64::from(self.running.planned.plan.grid[0]) ^ self.running.planned.checked.kernel.id();
        pieces.retain(|(device, run)| {
            let first = !seen.contains(device);
            seen.push(*device);
            first || draw(seed, u64::from(run.start)) < fraction
        });
        pieces
    }

    fn judge(&self, index: usize) -> Judge {
        let device = Arc::clone(&self.running.planned.checked.devices[index].device);
        let name = device.info().id.clone();
        Judge { index: Some(index), device, name }
    }

    /// Who can verify a device's work, the last in question last. Those of another kind come
    /// first: they have another driver.
    fn judges(&self, device: usize, bad: &[usize]) -> std::vec::IntoIter<Option<usize>> {
        let quarantined = self.running.planned.checked.resources.fleet.members();
        let kind = |index: usize| self.running.planned.checked.devices[index].device.info().kind;
        let mut others: Vec<usize> = (0..self.running.planned.checked.devices.len())
            .filter(|&other| {
                other != device
                    && self.running.planned.unable[other].is_none()
                    && !bad.contains(&other)
                    && quarantined[other].quarantined.is_none()
            })
            .collect();
        others.sort_by_key(|&other| kind(other) == kind(device));
        let all: Vec<Option<usize>> = others.into_iter().map(Some).chain([None]).collect();
        all.into_iter()
    }

    /// What the next judge computes for a run. One that fails gives way to the next.
    fn answer(
        &self,
        judges: &mut std::vec::IntoIter<Option<usize>>,
        run: &Range<u32>,
        snapshot: &Snapshot<'_>,
        cancel: &Cancel<'_>,
        failures: &mut Failures,
    ) -> Result<(Judge, Values)> {
        loop {
            let judge = match judges.next() {
                Some(Some(index)) => self.judge(index),
                _ => Judge {
                    index: None,
                    device: fleet::interpreter(self.running.planned.plan.subgroup_size)?,
                    name: "the CPU's interpreter".to_owned(),
                },
            };
            let copies = self.copies_from(run, Some(snapshot), &judge.name)?;
            let outcome = guarded(&*judge.device, || {
                judge
                    .device
                    .start(self.running.planned.chunk(run, &copies, Some(cancel), None))?
                    .finish()
            });
            let values = outcome.map(|_| values_of(&self.running.planned, run, Some(&copies), &[]));
            self.running.give_back(&copies);
            match (values, judge.index) {
                (Ok(values), _) => return Ok((judge, values)),
                (Err(error), Some(index)) => {
                    let (device, kind, cause) = error.of_device()?;
                    self.put_aside(
                        index,
                        FailureEvent { device, kind, cause, remedy: Remedy::PutAside },
                        failures,
                    );
                }
                (Err(error), None) => return Err(error),
            }
        }
    }

    fn convict(&self, index: usize, cause: String, failures: &mut Failures) {
        let device = self.running.planned.checked.devices[index].device.info().id.clone();
        let (kind, remedy) = (FailureKind::WrongAnswer, Remedy::Recomputed);
        self.put_aside(index, FailureEvent { device, kind, cause, remedy }, failures);
    }

    /// Notes a failure, and quarantines the device if it is of that sort.
    fn put_aside(&self, index: usize, mut event: FailureEvent, failures: &mut Failures) {
        if event.kind.quarantines() {
            let FailureEvent { device, kind, cause, .. } = event.clone();
            let member = &self.running.planned.checked.devices[index];
            let why = Quarantined { device, kind, cause };
            self.running.planned.checked.resources.fleet.quarantine(index, &member.device, why);
            if event.remedy == Remedy::PutAside {
                event.remedy = Remedy::Quarantined;
            }
        }
        tracing::warn!(device = event.device, kind = %event.kind, cause = event.cause, "a device failed");
        failures.events.push(event);
    }

    /// Computes again, on a device that was right, all that a wrong one computed.
    fn redo(
        &self,
        wrong: usize,
        judge: &Judge,
        snapshot: &Snapshot<'_>,
        cancel: &Cancel<'_>,
        computed: &mut Computed<'_>,
    ) -> Result<()> {
        let theirs: Vec<Range<u32>> = computed
            .done
            .iter()
            .filter(|done| done.device == wrong)
            .map(|done| done.run.clone())
            .collect();
        for run in theirs {
            computed.changes.retain(|changes| changes.first_band != run.start);
            snapshot.restore(&self.running.planned, &run);
            let copies = self.copies_from(&run, None, &judge.name)?;
            let cost: Result<ChunkCost> = guarded(&*judge.device, || {
                judge
                    .device
                    .start(self.running.planned.chunk(&run, &copies, Some(cancel), None))?
                    .finish()
            });
            let changes = cost.is_ok().then(|| self.running.changes(&run, &copies));
            self.running.give_back(&copies);
            let cost = cost?;
            computed.changes.extend(changes.into_iter().flatten());
            let groups = u64::try_from(self.running.planned.plan.groups(&run).workgroups())
                .unwrap_or(u64::MAX);
            let report = &mut computed.reports[wrong];
            report.workgroups = report.workgroups.saturating_sub(groups);
            report.chunks = report.chunks.saturating_sub(1);
            if let Some(index) = judge.index {
                let counted = Counted { device: index, run: run.clone(), cost, taken_over: false };
                self.running.planned.account(&mut computed.reports[index], &counted);
            }
        }
        for done in &mut computed.done {
            if done.device == wrong {
                done.device = judge.index.unwrap_or(wrong);
            }
        }
        Ok(())
    }

    /// Copies for a run: of what it must not write in place, and, with a snapshot, of all that it
    /// writes, as the launch began with it.
    fn copies_from(
        &self,
        run: &Range<u32>,
        snapshot: Option<&Snapshot<'_>>,
        device: &str,
    ) -> Result<Vec<(usize, PrivateCopy<'_>)>> {
        let copies = self.running.copies_of(device, |id| {
            let merged = *self.running.planned.plan.merge(id) != Merge::Apart;
            let written = snapshot.is_some_and(|snapshot| snapshot.of(id).is_some());
            (merged || written).then(|| self.running.planned.plan.window(run, id))
        })?;
        for (id, copy) in &copies {
            if let Some(before) = snapshot.and_then(|snapshot| snapshot.of(*id)) {
                let binding = &self.running.planned.checked.kernel.signature().bindings[*id];
                merge::fill(
                    copy.bytes,
                    before,
                    binding,
                    &self.running.planned.plan.window(run, *id),
                );
            }
        }
        Ok(copies)
    }
}
