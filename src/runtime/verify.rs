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

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::failure::{FailureEvent, Failures, Quarantined, Remedy, guarded};
use super::inject::draw;
use super::merge::{self, Changes};
use super::report::{DeviceReport, Verified, VerifiedPart};
use super::rerun::Counted;
use super::select;
use super::session::Session;
use super::snapshot::Snapshot;
use crate::cpu::SUBGROUP_SIZES;
use crate::device::{Cancel, ChunkCost, Device, HostBytes};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::{Binding, ScalarType};
use crate::memory::PrivateCopy;
use crate::plan::Merge;

/// What to verify, and what counts as equal.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Verification {
    /// The part of the work, from 0 to 1.
    pub(super) fraction: f64,
    pub(super) tolerance: Tolerance,
}

/// The allowed difference of two values: absolute, or relative to the larger one, for floats; a
/// number for integers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tolerance {
    pub(super) absolute: f64,
    pub(super) relative: f64,
    pub(super) integers: u32,
}

impl Default for Tolerance {
    fn default() -> Tolerance {
        Tolerance { absolute: 1e-6, relative: 1e-5, integers: 0 }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tolerance { absolute, relative, integers } = self;
        write!(f, "floats within {absolute:e} or {relative:e} of the larger one, integers ")?;
        if *integers == 0 { f.write_str("to the bit") } else { write!(f, "within {integers}") }
    }
}

/// What a launch has computed so far.
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

/// Integers with at most this difference may be computed from floats that differ in their last
/// bits.
const FEW: u32 = 256;

/// Who verifies: a device of the runtime, or the interpreter.
struct Judge {
    index: Option<usize>,
    device: Arc<dyn Device>,
    name: String,
}

impl Session<'_> {
    /// Why the launch is not verified: two devices may both be right, or the interpreter can't
    /// decide.
    fn unverifiable(&self) -> Option<String> {
        if let Some(why) = &self.plan.shows_order {
            return Some(why.to_string());
        }
        let size = self.plan.subgroup_size.filter(|size| !SUBGROUP_SIZES.contains(size));
        size.map(|size| format!("the reference interpreter has no subgroups of {size} invocations"))
    }

    /// Verifies a sample, and puts right what turns out to be wrong.
    pub(super) fn verify(
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
        let name = |index: usize| self.checked.devices[index].device.info().id.clone();
        let mut bad: Vec<usize> = Vec::new();
        for (device, run) in self.sample(&computed.done, wanted.fraction) {
            if bad.contains(&device) {
                continue;
            }
            let theirs = self.values(&run, None, computed.changes);
            let mut judges = self.judges(device, &bad);
            let (judge, ours) =
                self.answer(&mut judges, &run, snapshot, cancel, computed.failures)?;
            let groups = u64::try_from(self.plan.groups(&run).workgroups()).unwrap_or(u64::MAX);
            verified.add(&name(device), &judge.name, groups);
            let compare = |a: &Values, b: &Values| self.differ(a, b, wanted.tolerance);
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
        let bindings = 0..self.checked.kernel.signature().bindings.len();
        let apart = bindings.into_iter().all(|id| *self.plan.merge(id) == Merge::Apart);
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
        let seed = u64::from(self.plan.grid[0]) ^ self.checked.kernel.id();
        pieces.retain(|(device, run)| {
            let first = !seen.contains(device);
            seen.push(*device);
            first || draw(seed, u64::from(run.start)) < fraction
        });
        pieces
    }

    fn judge(&self, index: usize) -> Judge {
        let device = Arc::clone(&self.checked.devices[index].device);
        let name = device.info().id.clone();
        Judge { index: Some(index), device, name }
    }

    /// Who can verify a device's work, the last in question last. Those of another kind come
    /// first: they have another driver.
    fn judges(&self, device: usize, bad: &[usize]) -> std::vec::IntoIter<Option<usize>> {
        let quarantined = self.checked.runtime.inner.fleet.members();
        let kind = |index: usize| self.checked.devices[index].device.info().kind;
        let mut others: Vec<usize> = (0..self.checked.devices.len())
            .filter(|&other| {
                other != device
                    && self.unable[other].is_none()
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
                    device: select::interpreter(self.plan.subgroup_size)?,
                    name: "the CPU's interpreter".to_owned(),
                },
            };
            let copies = self.copies_from(run, Some(snapshot), &judge.name)?;
            let outcome = guarded(&*judge.device, || {
                judge.device.start(self.chunk(run, &copies, Some(cancel), None))?.finish()
            });
            let values = outcome.map(|_| self.values(run, Some(&copies), &[]));
            self.give_back(&copies);
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
        let device = self.checked.devices[index].device.info().id.clone();
        let (kind, remedy) = (FailureKind::WrongAnswer, Remedy::Recomputed);
        self.put_aside(index, FailureEvent { device, kind, cause, remedy }, failures);
    }

    /// Notes a failure, and quarantines the device if it is of that sort.
    fn put_aside(&self, index: usize, mut event: FailureEvent, failures: &mut Failures) {
        if event.kind.quarantines() {
            let FailureEvent { device, kind, cause, .. } = event.clone();
            let member = &self.checked.devices[index];
            let why = Quarantined { device, kind, cause };
            self.checked.runtime.inner.fleet.quarantine(index, &member.device, why);
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
            snapshot.restore(self, &run);
            let copies = self.copies_from(&run, None, &judge.name)?;
            let cost: Result<ChunkCost> = guarded(&*judge.device, || {
                judge.device.start(self.chunk(&run, &copies, Some(cancel), None))?.finish()
            });
            let changes = cost.is_ok().then(|| self.changes(&run, &copies));
            self.give_back(&copies);
            let cost = cost?;
            computed.changes.extend(changes.into_iter().flatten());
            let groups = u64::try_from(self.plan.groups(&run).workgroups()).unwrap_or(u64::MAX);
            let report = &mut computed.reports[wrong];
            report.workgroups = report.workgroups.saturating_sub(groups);
            report.chunks = report.chunks.saturating_sub(1);
            if let Some(index) = judge.index {
                let counted = Counted { device: index, run: run.clone(), cost, taken_over: false };
                self.account(&mut computed.reports[index], &counted);
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
        let copies = self.copies_of(device, |id| {
            let merged = *self.plan.merge(id) != Merge::Apart;
            let written = snapshot.is_some_and(|snapshot| snapshot.of(id).is_some());
            (merged || written).then(|| self.plan.window(run, id))
        })?;
        for (id, copy) in &copies {
            if let Some(before) = snapshot.and_then(|snapshot| snapshot.of(*id)) {
                let binding = &self.checked.kernel.signature().bindings[*id];
                merge::fill(copy.bytes, before, binding, &self.plan.window(run, *id));
            }
        }
        Ok(copies)
    }

    /// What a run wrote: scalars by binding and byte offset. From the copies that it wrote to, or
    /// else from the buffers and from the changes that were kept.
    fn values(
        &self,
        run: &Range<u32>,
        copies: Option<&[(usize, PrivateCopy<'_>)]>,
        kept: &[Changes],
    ) -> Values {
        let mut values = Values::default();
        for (id, binding) in self.checked.kernel.signature().bindings.iter().enumerate() {
            if !binding.space.is_storage() {
                continue;
            }
            let footprint = self.plan.footprint(run, id);
            if footprint.may_write.is_empty() && !footprint.writes_header {
                continue;
            }
            let copy = copies.and_then(|copies| copies.iter().find(|(copied, _)| *copied == id));
            let mut add = |at: u64, value: u32, scalar: ScalarType| {
                values.0.insert((id, at), (value, scalar));
            };
            if *self.plan.merge(id) != Merge::Apart {
                let fresh: Vec<Changes>;
                let mine = match copy {
                    Some((id, copy)) => {
                        fresh = vec![self.changes_of(run, *id, copy.bytes)];
                        &fresh[..]
                    }
                    None => kept,
                };
                let of_run = |c: &&Changes| c.binding == id && c.first_band == run.start;
                mine.iter().filter(of_run).for_each(|c| c.for_each(binding, &mut add));
                continue;
            }
            let memory: HostBytes<'_> = copy.map_or(self.memory[id], |(_, copy)| copy.bytes);
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

    /// The first scalar on which two differ. One that only one of them has was changed by it alone.
    fn differ(&self, a: &Values, b: &Values, tolerance: Tolerance) -> Option<Mismatch> {
        let bindings = &self.checked.kernel.signature().bindings;
        let unchanged = |id: usize, at: u64, scalar: ScalarType| match self
            .plan
            .merge(id)
            .reduction(&bindings[id].layout, at)
        {
            Some(_) => None,
            None => Some(merge::load(self.memory[id], at, scalar)),
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

impl Verified {
    /// Records that `by` computed work of a device again.
    fn add(&mut self, device: &str, by: &str, workgroups: u64) {
        let same = |part: &&mut VerifiedPart| part.device == device && part.by == by;
        match self.parts.iter_mut().find(same) {
            Some(part) => part.workgroups += workgroups,
            None => {
                let (device, by) = (device.to_owned(), by.to_owned());
                self.parts.push(VerifiedPart { device, by, workgroups });
            }
        }
    }
}

/// What a run wrote, by binding and byte offset.
#[derive(Debug, Clone, Default)]
struct Values(BTreeMap<(usize, u64), (u32, ScalarType)>);

/// `data[12]`, and what of it.
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

fn float(scalar: ScalarType, bits: u32) -> Option<f64> {
    match scalar {
        ScalarType::F32 => Some(f32::from_bits(bits).into()),
        ScalarType::F16 => Some(half::f16::from_bits(bits as u16).into()),
        _ => None,
    }
}

fn show(scalar: ScalarType, bits: u32) -> String {
    match float(scalar, bits) {
        Some(value) => format!("{value}"),
        None if scalar == ScalarType::I32 => (bits as i32).to_string(),
        None => bits.to_string(),
    }
}

/// Whether two values of a scalar are as good as equal.
fn agree(scalar: ScalarType, a: u32, b: u32, tolerance: Tolerance) -> bool {
    let (Some(x), Some(y)) = (float(scalar, a), float(scalar, b)) else {
        let apart = match scalar {
            ScalarType::I32 => (a as i32).abs_diff(b as i32),
            _ => a.abs_diff(b),
        };
        return apart <= tolerance.integers;
    };
    let near = tolerance.absolute.max(tolerance.relative * x.abs().max(y.abs()));
    a == b
        || x == y
        || x.is_nan() && y.is_nan()
        || x.is_finite() && y.is_finite() && (x - y).abs() <= near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_agree_within_the_tolerance_and_integers_to_the_bit() {
        let tolerance = Tolerance { absolute: 0.01, relative: 0.1, integers: 0 };
        let f32s = |a: f32, b: f32| agree(ScalarType::F32, a.to_bits(), b.to_bits(), tolerance);
        assert!(f32s(0.0, -0.0) && f32s(0.0, 0.009) && !f32s(0.0, 0.011));
        assert!(f32s(100.0, 109.0) && !f32s(100.0, 115.0));
        assert!(f32s(f32::NAN, -f32::NAN) && !f32s(f32::NAN, 0.0));
        assert!(f32s(f32::INFINITY, f32::INFINITY) && !f32s(f32::INFINITY, f32::MAX));
        assert!(!f32s(f32::INFINITY, -f32::INFINITY));
        assert!(!agree(ScalarType::U32, 1000, 1001, tolerance));
        let half = |x: f32| u32::from(half::f16::from_f32(x).to_bits());
        assert!(agree(ScalarType::F16, half(10.0), half(10.5), tolerance));
    }

    #[test]
    fn integers_agree_within_a_tolerance_of_their_own_across_zero_too() {
        let tolerance = Tolerance { integers: 2, ..Tolerance::default() };
        let i32s = |a: i32, b: i32| agree(ScalarType::I32, a as u32, b as u32, tolerance);
        assert!(i32s(-1, 1) && i32s(7, 5) && !i32s(-1, 2) && !i32s(i32::MIN, i32::MAX));
        let u32s = |a: u32, b: u32| agree(ScalarType::U32, a, b, tolerance);
        assert!(u32s(u32::MAX, u32::MAX - 2) && !u32s(u32::MAX, 0) && !u32s(0, 3));
        let words = tolerance.to_string();
        assert_eq!(words, "floats within 1e-6 or 1e-5 of the larger one, integers within 2");
    }
}
