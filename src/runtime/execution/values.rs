//! The values that a run of bands wrote, and the first one on which two devices differ.

use std::collections::BTreeMap;
use std::ops::Range;

use super::merge::{self, Changes};
use super::planned::Planned;
use super::tolerance::{Tolerance, agree, show};
use crate::device::HostBytes;
use crate::kernel::{Binding, ScalarType};
use crate::memory::PrivateCopy;
use crate::plan::Merge;

/// One scalar on which two devices differ.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mismatch {
    pub(crate) place: String,
    pub(crate) first: String,
    pub(crate) second: String,
    /// Whether they are integers with a small difference.
    pub(crate) few: bool,
}

/// Integers with at most this difference may be computed from floats that differ in their last
/// bits.
const FEW: u32 = 256;

/// What a run wrote, by binding and byte offset.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values(BTreeMap<(usize, u64), (u32, ScalarType)>);

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

/// What a run wrote: scalars by binding and byte offset. From the copies that it wrote to, or
/// else from the buffers and from the changes that were kept.
pub(crate) fn values_of(
    planned: &Planned<'_>,
    run: &Range<u32>,
    copies: Option<&[(usize, PrivateCopy<'_>)]>,
    kept: &[Changes],
) -> Values {
    let mut values = Values::default();
    for (id, binding) in planned.checked.kernel.signature().bindings.iter().enumerate() {
        if !binding.space.is_storage() {
            continue;
        }
        let footprint = planned.plan.footprint(run, id);
        if footprint.may_write.is_empty() && !footprint.writes_header {
            continue;
        }
        let copy = copies.and_then(|copies| copies.iter().find(|(copied, _)| *copied == id));
        let mut add = |at: u64, value: u32, scalar: ScalarType| {
            values.0.insert((id, at), (value, scalar));
        };
        if *planned.plan.merge(id) != Merge::Apart {
            let fresh: Vec<Changes>;
            let mine = match copy {
                Some((id, copy)) => {
                    fresh = vec![planned.changes_of(run, *id, copy.bytes)];
                    &fresh[..]
                }
                None => kept,
            };
            let of_run = |c: &&Changes| c.binding == id && c.first_band == run.start;
            mine.iter().filter(of_run).for_each(|c| c.for_each(binding, &mut add));
            continue;
        }
        let memory: HostBytes<'_> = copy.map_or(planned.memory[id], |(_, copy)| copy.bytes);
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
pub(crate) fn differ(
    planned: &Planned<'_>,
    a: &Values,
    b: &Values,
    tolerance: Tolerance,
) -> Option<Mismatch> {
    let bindings = &planned.checked.kernel.signature().bindings;
    let unchanged = |id: usize, at: u64, scalar: ScalarType| match planned
        .plan
        .merge(id)
        .reduction(&bindings[id].layout, at)
    {
        Some(_) => None,
        None => Some(merge::load(planned.memory[id], at, scalar)),
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
