//! Verification: a sample of a launch's work is computed again on another device, and compared.
//!
//! This happens when all chunks are done, and before buffers are merged. The sample runs on copies with the
//! launch's input, on another device of the runtime, or else on the CPU's interpreter. Values must agree
//! within the launch's tolerance, which by default allows no difference of integers. If they differ, a third
//! device, in the end the interpreter, decides which of the two is right. The wrong device is quarantined,
//! and all its work in this launch is computed again. If all three differ, the launch fails.
//!
//! Two devices may rightly give different results if these depend on the order of invocations or on the
//! subgroup size (`Plan::shows_order`). Such launches are not verified, and the report says why.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::chunks::Chunks;
use super::failures::Failures;
use super::merge::{self, Changes};
use super::planned::Planned;
use super::rerun::Counted;
use super::snapshot::Snapshot;
use super::tolerance::{Tolerance, agree, show};
use crate::cpu::SUBGROUP_SIZES;
use crate::device::{Cancel, ChunkCost, Device, HostBytes};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::{Binding, ScalarType};
use crate::memory::PrivateCopy;
use crate::plan::Merge;
use crate::runtime::fleet::{guarded, select};
use crate::runtime::random::draw;
use crate::runtime::report::{DeviceReport, FailureEvent, Remedy, Verified};

/// The results of a launch so far.
pub(super) struct Computed<'a> {
    pub(super) done: Vec<Counted>,
    pub(super) changes: &'a mut Vec<Changes>,
    pub(super) reports: &'a mut [DeviceReport],
    pub(super) failures: &'a mut Failures,
}

/// One scalar on which two devices differ.
#[derive(Debug, Clone, PartialEq)]
struct Mismatch {
    place: String,
    first: String,
    second: String,
    /// Whether they are integers with a small difference.
    few: bool,
}

/// The largest difference of integers that may stem from floats that differ in their last bits.
const FEW: u32 = 256;

/// A device that verifies: one of the runtime, or the interpreter, which has no index.
struct Judge {
    index: Option<usize>,
    device: Arc<dyn Device>,
    name: String,
}

/// Verifies one launch.
pub(super) struct Verifier<'v> {
    pub(super) planned: &'v Planned<'v>,
    pub(super) chunks: &'v Chunks<'v>,
    /// The contents of buffers from before the launch.
    pub(super) snapshot: &'v Snapshot<'v>,
    pub(super) cancel: &'v Cancel<'v>,
}

impl Verifier<'_> {
    /// Why the launch is not verified: two devices may both be right, or the interpreter can't
    /// decide.
    fn unverifiable(&self) -> Option<String> {
        if let Some(why) = &self.planned.plan.shows_order {
            return Some(why.to_string());
        }
        let size = self.planned.plan.subgroup_size.filter(|size| !SUBGROUP_SIZES.contains(size));
        size.map(|size| format!("the reference interpreter has no subgroups of {size} invocations"))
    }

    /// Verifies a sample, and corrects wrong results.
    pub(super) fn verify(&self, mut computed: Computed<'_>) -> Result<Verified> {
        let wanted = self.planned.checked.verification;
        let mut verified = Verified { within: wanted.tolerance.to_string(), ..Verified::default() };
        verified.not_done = self.unverifiable();
        if verified.not_done.is_some() {
            return Ok(verified);
        }
        let name = |index: usize| self.planned.checked.devices[index].device.info().id.clone();
        let mut bad: Vec<usize> = Vec::new();
        for (device, run) in self.sample(&computed.done, wanted.fraction) {
            if bad.contains(&device) {
                continue;
            }
            let theirs = self.values(&run, None, computed.changes);
            let mut judges = self.judges(device, &bad);
            let (judge, ours) = self.answer(&mut judges, &run, computed.failures)?;
            let groups = self.planned.workgroups(&run);
            verified.add(&name(device), &judge.name, groups);
            let compare = |a: &Values, b: &Values| self.differ(a, b, wanted.tolerance);
            let Some(mismatch) = compare(&theirs, &ours) else { continue };
            verified.disputes += 1;
            let (third, decides) = match judge.index {
                // The interpreter has the last word.
                None => (judge.name.clone(), ours.clone()),
                Some(_) => {
                    let (third, values) = self.answer(&mut judges, &run, computed.failures)?;
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
                self.redo(device, &judge, &mut computed)?;
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
                    &mut computed,
                )?;
            } else {
                return Err(Error::Device {
                    device: name(device),
                    kind: FailureKind::WrongAnswer,
                    doing: "agree with other devices".to_owned(),
                    cause: format!(
                        "{}; {third} differs from both",
                        cause(&[&judge.name], first, second)
                    ),
                });
            }
        }
        Ok(verified)
    }

    /// A sample of the work, with at least one piece of each device. A piece is a band, or a whole run if its
    /// bands wrote to one copy.
    fn sample(&self, done: &[Counted], fraction: f64) -> Vec<(usize, Range<u32>)> {
        let bindings = 0..self.planned.checked.kernel.signature().bindings.len();
        let apart = bindings.into_iter().all(|id| *self.planned.plan.merge(id) == Merge::Apart);
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
        let seed = u64::from(self.planned.plan.grid[0]) ^ self.planned.checked.kernel.id();
        pieces.retain(|(device, run)| {
            let first = !seen.contains(device);
            seen.push(*device);
            first || draw(seed, u64::from(run.start)) < fraction
        });
        pieces
    }

    fn judge(&self, index: usize) -> Judge {
        let device = Arc::clone(&self.planned.checked.devices[index].device);
        let name = device.info().id.clone();
        Judge { index: Some(index), device, name }
    }

    /// The devices that can verify the work of `device`, in order: devices of another kind, which have
    /// another driver; devices of its kind; the interpreter (`None`).
    fn judges(&self, device: usize, bad: &[usize]) -> std::vec::IntoIter<Option<usize>> {
        let quarantined = self.planned.checked.resources.fleet.members();
        let kind = |index: usize| self.planned.checked.devices[index].device.info().kind;
        let mut others: Vec<usize> = (0..self.planned.checked.devices.len())
            .filter(|&other| {
                other != device
                    && self.planned.unable[other].is_none()
                    && !bad.contains(&other)
                    && quarantined[other].quarantined.is_none()
            })
            .collect();
        others.sort_by_key(|&other| kind(other) == kind(device));
        let all: Vec<Option<usize>> = others.into_iter().map(Some).chain([None]).collect();
        all.into_iter()
    }

    /// The result of the next judge for a run. A judge that fails is replaced by the one after it.
    fn answer(
        &self,
        judges: &mut std::vec::IntoIter<Option<usize>>,
        run: &Range<u32>,
        failures: &mut Failures,
    ) -> Result<(Judge, Values)> {
        loop {
            let judge = match judges.next() {
                Some(Some(index)) => self.judge(index),
                _ => Judge {
                    index: None,
                    device: select::interpreter(self.planned.plan.subgroup_size)?,
                    name: "the CPU's interpreter".to_owned(),
                },
            };
            let copies = self.copies(run, true, &judge.name)?;
            let outcome = guarded(&*judge.device, || {
                judge
                    .device
                    .start(self.chunks.chunk(run, &copies, Some(self.cancel), None))?
                    .finish()
            });
            let values = outcome.map(|_| self.values(run, Some(&copies), &[]));
            self.chunks.give_back(&copies);
            match (values, judge.index) {
                (Ok(values), _) => return Ok((judge, values)),
                (Err(error), Some(index)) => {
                    let (device, kind, cause) = error.of_device()?;
                    let remedy = self.planned.checked.devices[index].remedy(kind);
                    let event = FailureEvent { device, kind, cause, remedy };
                    self.put_aside(index, event, failures);
                }
                (Err(error), None) => return Err(error),
            }
        }
    }

    fn convict(&self, index: usize, cause: String, failures: &mut Failures) {
        let device = self.planned.checked.devices[index].device.info().id.clone();
        let (kind, remedy) = (FailureKind::WrongAnswer, Remedy::Recomputed);
        self.put_aside(index, FailureEvent { device, kind, cause, remedy }, failures);
    }

    /// Records a failure that the launch survives.
    fn put_aside(&self, index: usize, event: FailureEvent, failures: &mut Failures) {
        let checked = self.planned.checked;
        checked.resources.fleet.record_failure(index, &checked.devices[index], &event);
        failures.events.push(event);
    }

    /// Computes all work of a wrong device again, on a device that was right.
    fn redo(&self, wrong: usize, judge: &Judge, computed: &mut Computed<'_>) -> Result<()> {
        let theirs: Vec<Range<u32>> = computed
            .done
            .iter()
            .filter(|done| done.device == wrong)
            .map(|done| done.run.clone())
            .collect();
        for run in theirs {
            computed.changes.retain(|changes| changes.first_band != run.start);
            self.snapshot.restore(self.planned, &run);
            let copies = self.copies(&run, false, &judge.name)?;
            let cost: Result<ChunkCost> = guarded(&*judge.device, || {
                judge
                    .device
                    .start(self.chunks.chunk(&run, &copies, Some(self.cancel), None))?
                    .finish()
            });
            let changes = cost.is_ok().then(|| self.chunks.changes(&run, &copies));
            self.chunks.give_back(&copies);
            let cost = cost?;
            computed.changes.extend(changes.into_iter().flatten());
            let groups = self.planned.workgroups(&run);
            let report = &mut computed.reports[wrong];
            report.workgroups = report.workgroups.saturating_sub(groups);
            report.chunks = report.chunks.saturating_sub(1);
            if let Some(index) = judge.index {
                computed.reports[index].add_chunk(groups, &cost, false);
            }
        }
        for done in &mut computed.done {
            if done.device == wrong {
                done.device = judge.index.unwrap_or(wrong);
            }
        }
        Ok(())
    }

    /// Copies for a run: of merged buffers and, if `of_all`, of all its outputs as they were before the launch.
    fn copies(
        &self,
        run: &Range<u32>,
        of_all: bool,
        device: &str,
    ) -> Result<Vec<(usize, PrivateCopy<'_>)>> {
        let before = |id: usize| self.snapshot.of(id).filter(|_| of_all);
        let copies = self.chunks.copies_of(device, |id| {
            let merged = *self.planned.plan.merge(id) != Merge::Apart;
            (merged || before(id).is_some()).then(|| self.planned.plan.window(run, id))
        })?;
        for (id, copy) in &copies {
            if let Some(before) = before(*id) {
                let binding = &self.planned.checked.kernel.signature().bindings[*id];
                merge::fill(copy.bytes, before, binding, &self.planned.plan.window(run, *id));
            }
        }
        Ok(copies)
    }

    /// The scalars that a run wrote: from its copies if given, else from the buffers and the kept changes.
    fn values(
        &self,
        run: &Range<u32>,
        copies: Option<&[(usize, PrivateCopy<'_>)]>,
        kept: &[Changes],
    ) -> Values {
        let mut values = Values::default();
        for (id, binding) in self.planned.checked.kernel.signature().bindings.iter().enumerate() {
            if !binding.space.is_storage() {
                continue;
            }
            let footprint = self.planned.plan.footprint(run, id);
            if footprint.may_write.is_empty() && !footprint.writes_header {
                continue;
            }
            let copy = copies.and_then(|copies| copies.iter().find(|(copied, _)| *copied == id));
            let mut add = |at: u64, value: u32, scalar: ScalarType| {
                values.0.insert((id, at), (value, scalar));
            };
            if *self.planned.plan.merge(id) != Merge::Apart {
                let fresh: Vec<Changes>;
                let mine = match copy {
                    Some((id, copy)) => {
                        fresh = vec![self.chunks.changes_of(run, *id, copy.bytes)];
                        &fresh[..]
                    }
                    None => kept,
                };
                let of_run = |c: &&Changes| c.binding == id && c.first_band == run.start;
                mine.iter().filter(of_run).for_each(|c| c.for_each(binding, &mut add));
                continue;
            }
            let memory: HostBytes<'_> =
                copy.map_or(self.planned.memory[id], |(_, copy)| copy.bytes);
            if footprint.writes_header {
                merge::scalars(memory, 0, binding.header_scalars(), &mut add);
            }
            let layout = &binding.layout;
            footprint.may_write.for_each_run(|elements| {
                for element in elements {
                    let start = layout.header + element * layout.stride;
                    merge::scalars(memory, start, binding.element_scalars(), &mut add);
                }
            });
        }
        values
    }

    /// The first scalar on which two results differ. A scalar that is missing in one is unchanged there.
    fn differ(&self, a: &Values, b: &Values, tolerance: Tolerance) -> Option<Mismatch> {
        let bindings = &self.planned.checked.kernel.signature().bindings;
        let unchanged = |id: usize, at: u64, scalar: ScalarType| match self
            .planned
            .plan
            .merge(id)
            .reduction(&bindings[id].layout, at)
        {
            Some(_) => None,
            None => Some(merge::load(self.planned.memory[id], at, scalar)),
        };
        for (&(id, at), &(value, scalar)) in a.0.iter().chain(&b.0) {
            let of = |values: &Values| match values.0.get(&(id, at)) {
                Some((value, _)) => Some(*value),
                None => unchanged(id, at, scalar),
            };
            let (first, second) = (of(a), of(b));
            let equal = match (first, second) {
                (Some(x), Some(y)) => agree(scalar, x, y, tolerance),
                _ => false,
            };
            if !equal {
                let shown = |bits: Option<u32>| match bits {
                    Some(bits) => show(scalar, bits),
                    None => "nothing".to_owned(),
                };
                let loose = Tolerance { integers: FEW, ..tolerance };
                return Some(Mismatch {
                    few: matches!((first, second), (Some(x), Some(y)) if agree(scalar, x, y, loose)),
                    place: place(&bindings[id], at),
                    first: shown(first),
                    second: shown(second),
                });
            }
            let _ = value;
        }
        None
    }
}

/// The scalars that a run wrote, by binding and byte offset.
#[derive(Debug, Clone, Default)]
struct Values(BTreeMap<(usize, u64), (u32, ScalarType)>);

/// The name of a scalar's place, such as `data[12]`.
fn place(binding: &Binding, at: u64) -> String {
    let layout = &binding.layout;
    let name = &binding.name;
    let Some(inside) = at.checked_sub(layout.header) else {
        return format!("`{name}`, byte {at} of its header,");
    };
    let (element, offset) = (inside / layout.stride, inside % layout.stride);
    match (binding.element_scalars().len(), offset) {
        (..=1, _) => format!("`{name}[{element}]`"),
        (_, offset) => format!("`{name}[{element}]`, byte {offset} of it,"),
    }
}
