//! The proof that a cut is sound: how the writes of bands to each buffer are merged, or why they can't be.
//!
//! Two bands must not write the same element, and neither may read an element that the other may write. A buffer that is
//! only written, or only reduced into, needs no such proof: chunks get copies, which `runtime` merges. If members of a
//! buffer are used differently, only the members that are both stored to and read need the proof.

use std::ops::Range;

use naga::Span;

use super::band::Band;
use super::split::{ByMember, Merge};
use super::wording::{elements, numbers};
use crate::analysis::{OfLaunch, Reduction, Use, Uses, member_at, member_names};
use crate::kernel::Kernel;
use crate::region::Region;

/// How the bands' writes to each binding are merged, or why they can't be.
pub(super) fn merges(
    kernel: &Kernel,
    analysis: &OfLaunch<'_>,
    bands: &[Band],
    axis: usize,
    race_free: bool,
) -> Result<Vec<Merge>, (String, Option<Span>)> {
    let mut merges = Vec::new();
    for (id, uses) in analysis.facts().uses.iter().enumerate() {
        merges.push(match uses.as_slice() {
            [(_, Use::Reduce(reduction))] => Merge::Reduce(*reduction),
            uses if uses.iter().all(|(_, used)| *used == Use::Read) => Merge::Apart,
            _ => merge(kernel, bands, (id, uses), axis, race_free)?,
        });
    }
    Ok(merges)
}

/// How the bands' writes to a binding are merged, or why they can't be.
fn merge(
    kernel: &Kernel,
    bands: &[Band],
    (id, uses): (usize, &Uses),
    axis: usize,
    race_free: bool,
) -> Result<Merge, (String, Option<Span>)> {
    let Err((why, span)) = check(kernel, bands, id, axis, all) else { return Ok(Merge::Apart) };
    let both = |used: &Use| matches!(used, Use::ReadWrite | Use::Signal(_));
    // Members that are both stored to and read must be disjoint; the others need no proof.
    let refusal = match uses.as_slice() {
        several if !several.iter().any(|(_, used)| both(used)) => None,
        [_] => Some((why.clone(), span)),
        _ => check(kernel, bands, id, axis, exchanged).err(),
    };
    if let Some((why, span)) = refusal {
        let signal = uses.iter().find_map(|(_, used)| match used {
            Use::Signal(at) => Some(*at),
            _ => None,
        });
        // Freedom from data races does not exclude that workgroups wait for each other.
        if let Some(at) = signal {
            let why = format!(
                "{why}; it loads and stores them atomically, so workgroups may wait for each other"
            );
            return Err((why, Some(at)));
        }
        if !race_free {
            return Err((why, span));
        }
    }
    if uses.iter().any(|(_, used)| matches!(used, Use::Reduce(_))) {
        return Ok(Merge::Members(by_member(kernel, id, uses).into()));
    }
    let at = span.map(|span| kernel.source().render(span));
    Ok(Merge::Difference { why, at: at.unwrap_or_default() })
}

/// How the bands' writes to each member of a binding are merged.
fn by_member(kernel: &Kernel, id: usize, uses: &Uses) -> ByMember {
    let binding = &kernel.signature().bindings[id];
    let reduction = |used: &Use| match used {
        Use::Reduce(reduction) => Some(*reduction),
        _ => None,
    };
    let written = uses.iter().filter(|(_, used)| *used != Use::Read);
    let parts =
        written.map(|(members, used)| (member_names(kernel, binding, *members), reduction(used)));
    let reduced = |in_header: bool, offset: u64| -> Option<(u64, Reduction)> {
        let member = member_at(kernel, binding, in_header, offset);
        let (_, used) = uses.iter().find(|(members, _)| members.meet(member))?;
        Some((offset, reduction(used)?))
    };
    let of = |in_header: bool, scalars: &[(u64, _)]| {
        scalars.iter().filter_map(|(offset, _)| reduced(in_header, *offset)).collect()
    };
    ByMember {
        parts: parts.collect(),
        header: of(true, binding.header_scalars()),
        element: of(false, binding.element_scalars()),
    }
}

/// The elements of a binding that a band reads, those that it may write, and whether it may write
/// the header.
type Touched<'a> = (&'a Region, &'a Region, bool);

fn all(band: &Band, id: usize) -> Touched<'_> {
    let print = &band.footprints[id];
    (&print.read, &print.may_write, print.writes_header)
}

/// The same for only the members that are both stored to and read, if members are used differently.
fn exchanged(band: &Band, id: usize) -> Touched<'_> {
    let print = &band.footprints[id].exchanged;
    (&print.read, &print.may_write, print.writes_header)
}

/// Checks that bands write disjoint elements of a binding, and read none that another band may write.
fn check(
    kernel: &Kernel,
    bands: &[Band],
    id: usize,
    axis: usize,
    touched: fn(&Band, usize) -> Touched<'_>,
) -> Result<(), (String, Option<Span>)> {
    let name = &kernel.signature().bindings[id].name;
    let axis = ["x", "y", "z"][axis];
    let unbounded = |band: usize| bands[band].footprints[id].unbounded;
    if bands.iter().filter(|band| touched(band, id).2).count() > 1 {
        return Err((
            format!("all bands along {axis} may write the fields of `{name}` before its array"),
            first_store(kernel, id),
        ));
    }
    let writers: Vec<(usize, &Region)> = bands
        .iter()
        .map(|band| touched(band, id).1)
        .enumerate()
        .filter(|(_, region)| !region.is_empty())
        .collect();
    if let Some((&(a, first), &(b, second))) = clash(&writers) {
        let (of_a, of_b) = (elements(first), elements(second));
        let both = if of_a == of_b { of_a } else { format!("{of_a}, and {}", numbers(second)) };
        return Err((
            format!(
                "along {axis}, bands {a} and {b} of {} may both write `{name}`: {both}",
                bands.len()
            ),
            unbounded(a).or_else(|| first_store(kernel, id)),
        ));
    }
    for (reader, band) in bands.iter().enumerate() {
        let read = touched(band, id).0;
        let met = writers.iter().find(|(writer, write)| *writer != reader && read.may_meet(write));
        if let Some((writer, write)) = met {
            return Err((
                format!(
                    "along {axis}, band {reader} of {} reads {} of `{name}`, of which \
                     band {writer} may write {}",
                    bands.len(),
                    elements(read),
                    numbers(write)
                ),
                unbounded(reader).or_else(|| first_store(kernel, id)),
            ));
        }
    }
    Ok(())
}

/// Two bands whose writes may meet; of several pairs, the one of bands that are closest.
fn clash<'a>(writers: &'a [(usize, &Region)]) -> Option<Clash<'a>> {
    let hulls: Vec<Range<u64>> = writers.iter().map(|w| w.1.hull()).collect();
    let rising = hulls.windows(2).all(|w| w[0].end <= w[1].start);
    let falling = hulls.windows(2).all(|w| w[1].end <= w[0].start);
    if rising || falling {
        return None;
    }
    for distance in 1..writers.len() {
        for (a, b) in writers.iter().zip(&writers[distance..]) {
            if a.1.may_meet(b.1) {
                return Some((a, b));
            }
        }
    }
    None
}

/// Two bands by number, with the elements that they may write.
type Clash<'a> = (&'a (usize, &'a Region), &'a (usize, &'a Region));

/// The first plain store to a binding, in text order.
fn first_store(kernel: &Kernel, id: usize) -> Option<Span> {
    let function = &kernel.entry_point().function;
    let global = kernel.signature().bindings[id].global;
    let mut pending: Vec<&naga::Block> = vec![&function.body];
    let mut found: Option<Span> = None;
    while let Some(block) = pending.pop() {
        for (statement, span) in block.span_iter() {
            match statement {
                naga::Statement::Store { pointer, .. }
                    if root(function, *pointer) == Some(global)
                        && starts(*span) < found.map_or(usize::MAX, starts) =>
                {
                    found = Some(*span);
                }
                naga::Statement::Block(inner) => pending.push(inner),
                naga::Statement::If { accept, reject, .. } => pending.extend([accept, reject]),
                naga::Statement::Switch { cases, .. } => {
                    pending.extend(cases.iter().map(|case| &case.body));
                }
                naga::Statement::Loop { body, continuing, .. } => {
                    pending.extend([body, continuing]);
                }
                _ => {}
            }
        }
    }
    found
}

fn starts(span: Span) -> usize {
    span.to_range().map_or(usize::MAX, |range| range.start)
}

fn root(
    function: &naga::Function,
    mut pointer: naga::Handle<naga::Expression>,
) -> Option<naga::Handle<naga::GlobalVariable>> {
    loop {
        match function.expressions[pointer] {
            naga::Expression::Access { base, .. } | naga::Expression::AccessIndex { base, .. } => {
                pointer = base;
            }
            naga::Expression::GlobalVariable(global) => return Some(global),
            _ => return None,
        }
    }
}
