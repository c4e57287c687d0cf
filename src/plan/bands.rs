//! Cutting the grid into bands, and proving that the cut is sound.
//!
//! A band is the smallest part of a launch that a device may take: some consecutive workgroups
//! along one axis, whole along the others. Soundness is shown for single bands: what any two may
//! write is disjoint, and none reads what another may write. What a run of bands may write is the
//! exact union of theirs, so it holds of runs too. What it reads, and the window that a copying
//! device makes of it, may be more: whatever lies in between.
//!
//! A buffer that is only written, or only reduced into, needs no such proof: chunks get copies,
//! which `runtime` merges. If members of a buffer are used differently, only the members that are
//! both stored to and read need the proof. A cut that needs fewer copies is preferred.

use std::ops::Range;

use naga::Span;

use super::subgroups::Able;
use super::{ByMember, Merge, Split, Wishes};
use crate::analysis::{Facts, Footprint, OfLaunch, Reduction, Use, Uses, member_at, member_names};
use crate::grid::GroupBox;
use crate::kernel::Kernel;
use crate::region::Region;

/// Consecutive workgroups along the split's axis; of a tile, whose second axis is `Tiling`'s, along
/// the first.
#[derive(Debug, Clone)]
pub(crate) struct Band {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// By binding.
    pub(crate) footprints: Vec<Footprint>,
}

/// More bands balance better, and cost more to analyse. 64 bands bound the share that is
/// undecided at the end to under 2 %.
const BANDS: u32 = 64;

/// Cuts the grid along the first axis on which the cut can be shown to be sound.
pub(super) fn split(
    kernel: &Kernel,
    analysis: &OfLaunch<'_>,
    able: &Able,
    wishes: &Wishes,
    consulted: &mut [bool],
) -> Split {
    let grid = analysis.arguments.grid;
    if grid.contains(&0) {
        return Split::Nothing;
    }
    let whole = |reason: String, span: Option<Span>, consulted: &mut [bool]| {
        let footprints = analysis.footprints(GroupBox::whole(grid));
        note(&footprints, consulted);
        Split::Whole {
            reason,
            at: span.map(|span| kernel.source().render(span)).unwrap_or_default(),
            band: Band { start: 0, end: 1, footprints },
        }
    };
    let bindings = &kernel.signature().bindings;
    for (binding, uses) in bindings.iter().zip(&analysis.facts().uses) {
        if let Some((why, at)) = uses.iter().find_map(|(_, used)| used.refused()) {
            let reason = format!("it updates `{}` atomically, and {why}", binding.name);
            return whole(reason, Some(at), consulted);
        }
    }
    if let (Some(span), Err(why)) = (analysis.facts().subgroups, &able.subgroups) {
        return whole(format!("it uses subgroups, {why}"), Some(span), consulted);
    }
    if grid == [1, 1, 1] {
        return whole("the grid is a single workgroup".to_owned(), None, consulted);
    }
    if able.count <= 1 && wishes.chunks.is_none_or(|n| n <= 1) && wishes.least_bands <= 1 {
        return whole("only one device takes part".to_owned(), None, consulted);
    }
    let wanted = wishes.chunks.unwrap_or(BANDS).max(wishes.least_bands).max(1);
    if wanted == 1 {
        return whole("one chunk was asked for".to_owned(), None, consulted);
    }
    // The axis that gives the most bands; of equals the outermost, whose bands lie together in
    // row-major arrays.
    let mut axes = [2, 1, 0];
    axes.sort_by_key(|&axis| std::cmp::Reverse(grid[axis].min(wanted)));
    let mut refusal: Option<(String, Option<Span>)> = None;
    let mut best: Option<(usize, Split)> = None;
    for axis in axes.into_iter().filter(|&axis| grid[axis] > 1) {
        let count = grid[axis].min(wanted);
        let bands = banded(analysis, axis, count);
        bands.iter().for_each(|band| note(&band.footprints, consulted));
        match merges(kernel, analysis, &bands, axis, wishes.race_free) {
            Ok(merges) => {
                let differs =
                    |m: &&Merge| matches!(m, Merge::Difference { .. } | Merge::Members(_));
                let copied = merges.iter().filter(differs).count();
                let (bands, merges) = (bands.into(), merges.into());
                let split = Split::Bands { axis, bands, merges, tiling: None };
                if copied == 0 {
                    return split;
                }
                if best.as_ref().is_none_or(|(least, _)| copied < *least) {
                    best = Some((copied, split));
                }
            }
            Err(reason) => refusal = refusal.or(Some(reason)),
        }
    }
    match (best, refusal) {
        (Some((_, split)), _) => split,
        (None, Some((reason, span))) => whole(reason, span, consulted),
        (None, None) => whole("the grid is a single workgroup".to_owned(), None, consulted),
    }
}

/// Notes the bindings whose contents footprints follow from.
pub(super) fn note(footprints: &[Footprint], consulted: &mut [bool]) {
    for (noted, footprint) in consulted.iter_mut().zip(footprints) {
        *noted |= footprint.consulted;
    }
}

/// Cuts along one axis into `count` bands of nearly equal size.
fn banded(analysis: &OfLaunch<'_>, axis: usize, count: u32) -> Vec<Band> {
    let grid = analysis.arguments.grid;
    let extent = u64::from(grid[axis]);
    let edge = |band: u32| (extent * u64::from(band) / u64::from(count)) as u32;
    let edges: Vec<u32> = (0..=count).map(edge).collect();
    let footprints = analysis.bands(axis, &edges);
    let bands = edges.windows(2).zip(footprints);
    bands.map(|(edge, footprints)| Band { start: edge[0], end: edge[1], footprints }).collect()
}

/// How what the bands write to each binding comes together, or why it can't.
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

/// What a band touches of a binding: the elements that it reads, the elements that it may write,
/// and whether it may write the header.
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

/// Shows that bands write disjoint parts of a binding, in order, and read none of the others'.
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

/// Two bands whose writes may meet: neighbours, if there are such.
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

/// Two bands by number, with what they write.
type Clash<'a> = (&'a (usize, &'a Region), &'a (usize, &'a Region));

/// `element a`, or `elements` with their numbers.
pub(super) fn elements(region: &Region) -> String {
    let plural = if region.len() == 1 { "" } else { "s" };
    format!("element{plural} {}", numbers(region))
}

/// `a to b`, both included; or the rows of a box.
pub(super) fn numbers(region: &Region) -> String {
    let hull = region.hull();
    if hull.is_empty() {
        return "none".to_owned();
    }
    let words = |range: &Range<u64>| match range.end - range.start {
        1 => range.start.to_string(),
        _ => format!("{} to {}", range.start, range.end - 1),
    };
    let range = words(&hull);
    if let Some(several) = region.ranges().filter(|ranges| (2..=3).contains(&ranges.len())) {
        let several: Vec<String> = several.iter().map(words).collect();
        return several.join(" and ");
    }
    match region.rows() {
        _ if region.is_range() => range,
        Some((rows, 1, stride)) => format!("{range}: {rows} of them, {stride} apart"),
        Some((rows, columns, stride)) => {
            format!("{range}: {rows} rows of {columns}, {stride} apart")
        }
        None => format!("{range}: about {} of them", region.len()),
    }
}

/// The smallest range that has both.
pub(super) fn cover(a: &Range<u64>, b: &Range<u64>) -> Range<u64> {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => 0..0,
        (true, false) => b.clone(),
        (false, true) => a.clone(),
        (false, false) => a.start.min(b.start)..a.end.max(b.end),
    }
}

/// Whether no band reads what it may write in place, nor writes a header in place.
pub(super) fn rerunnable(split: &Split) -> bool {
    let Split::Bands { bands, merges, .. } = split else { return false };
    bands.iter().all(|band| {
        band.footprints.iter().zip(merges.iter()).all(|(print, merge)| {
            *merge != Merge::Apart || !print.writes_header && !print.read.may_meet(&print.may_write)
        })
    })
}

/// Why other devices, or the same device a second time, may rightly give other bits on any data,
/// with the line. The kernel's text shows the order in which invocations ran, or which invocations
/// are in a subgroup.
pub(super) fn order_shown(
    kernel: &Kernel,
    facts: &Facts,
    subgroups: &Result<u32, String>,
) -> Option<String> {
    let shown = facts.uses.iter().flatten().find_map(|(_, used)| {
        let at = line(kernel, used.refused()?.1);
        Some(format!("its atomics may show in which order workgroups ran{at}"))
    });
    let of_workgroup = || {
        let at = line(kernel, facts.order_in_workgroup?);
        Some(format!("an atomic may show in which order invocations of a workgroup ran{at}"))
    };
    let of_subgroups = || {
        let (at, why) = (facts.subgroups?, subgroups.as_ref().err()?);
        Some(format!("it uses subgroups, {why}{}", line(kernel, at)))
    };
    shown.or_else(of_workgroup).or_else(of_subgroups)
}

/// Why other devices may rightly give other bits because of a launch's atomic loads and stores. A
/// load may come before or after a store by another workgroup, and the last of two stores to one
/// element wins.
pub(super) fn order_of_accesses(
    kernel: &Kernel,
    analysis: &OfLaunch<'_>,
    split: &Split,
) -> Option<String> {
    let facts = analysis.facts();
    let name = |id: usize| &kernel.signature().bindings[id].name;
    let uses = facts.uses.iter().enumerate();
    let mut uses = uses.flat_map(|(id, uses)| uses.iter().map(move |(_, used)| (id, used)));
    let loaded = uses.find_map(|(id, used)| match used {
        Use::Signal(at) => Some(format!(
            "its atomic loads of `{}` may show in which order workgroups ran{}",
            name(id),
            line(kernel, *at)
        )),
        _ => None,
    });
    let meet = |id: usize| match split {
        Split::Bands { merges, .. } => merges[id].keeps_the_last(),
        _ => unrepeatable(kernel, analysis, split).is_some(),
    };
    let stored = || {
        let (id, at) = facts.atomic_stores.iter().find(|(id, _)| meet(*id))?;
        Some(format!(
            "the last of its atomic stores to `{}` may win, which shows in which order workgroups \
             ran{}",
            name(*id),
            line(kernel, *at)
        ))
    };
    loaded.or_else(stored)
}

/// A line of the kernel's text, in parentheses, if it is known.
fn line(kernel: &Kernel, span: Span) -> String {
    kernel.source().line(span).map_or_else(String::new, |line| format!(" (line {line})"))
}

/// Why a launch might not give the same bits a second time, for reasons beyond [`order_shown`]. If
/// the launch was not cut because one device runs it, this cuts it in two: the order matters for an
/// element that both parts may touch.
pub(super) fn unrepeatable(
    kernel: &Kernel,
    analysis: &OfLaunch<'_>,
    split: &Split,
) -> Option<String> {
    let facts = analysis.facts();
    let stores =
        |(_, used): &(_, Use)| matches!(used, Use::Write | Use::ReadWrite | Use::Signal(_));
    let Split::Whole { .. } = split else { return None };
    if analysis.arguments.grid == [1; 3] || !facts.uses.iter().flatten().any(stores) {
        return None;
    }
    let halves = Wishes { chunks: Some(2), ..Wishes::default() };
    let mut consulted = vec![false; kernel.signature().bindings.len()];
    let met = |why: &str| {
        format!("two of its workgroups may meet, and nobody knows which comes first ({why})")
    };
    let two = Able { count: 2, subgroups: Ok(0) };
    match self::split(kernel, analysis, &two, &halves, &mut consulted) {
        Split::Whole { reason, .. } => Some(met(&reason)),
        Split::Bands { merges, .. } => merges.iter().find_map(|merge| match merge {
            Merge::Difference { why, .. } => Some(met(why)),
            // The order of reductions does not matter; the order of other merged stores may.
            Merge::Members(by_member) => {
                let stored = by_member.parts.iter().find(|(_, reduction)| reduction.is_none())?;
                Some(met(&format!("they may both write `{}`", stored.0.join("`, `"))))
            }
            Merge::Apart | Merge::Reduce(_) => None,
        }),
        Split::Nothing => None,
    }
}

/// The footprint of consecutive bands.
pub(super) fn hull(bands: &[Band], binding: usize) -> Footprint {
    let mut all = Footprint::default();
    let mut must: Option<Range<u64>> = None;
    for band in bands {
        let one = &band.footprints[binding];
        all.read.widen(&one.read);
        all.may_write.append(&one.may_write);
        all.writes_header |= one.writes_header;
        all.consulted |= one.consulted;
        all.unbounded = all.unbounded.or(one.unbounded);
        let next = &one.must_write;
        must = Some(match must {
            None => next.clone(),
            // Only a union without a hole is a range of elements that are surely written.
            Some(m) if !m.is_empty() && !next.is_empty() && m.end == next.start => {
                m.start..next.end
            }
            Some(m) if !m.is_empty() && !next.is_empty() && next.end == m.start => {
                next.start..m.end
            }
            Some(m) if next.is_empty() => m,
            Some(m) if m.is_empty() => next.clone(),
            Some(m) if m.end - m.start >= next.end - next.start => m,
            Some(_) => next.clone(),
        });
    }
    all.must_write = must.unwrap_or(0..0);
    all
}

/// The elements whose contents matter before the chunk starts: what it reads, and what it may
/// leave unwritten of the range that is copied back.
pub(super) fn upload(footprint: &Footprint) -> Range<u64> {
    let (may, must) = (&footprint.may_write.hull(), &footprint.must_write);
    let kept = if must.is_empty() || must.start >= may.end || must.end <= may.start {
        may.clone()
    } else {
        cover(&(may.start..must.start.max(may.start)), &(must.end.min(may.end)..may.end))
    };
    cover(&footprint.read.hull(), &kept)
}

/// Whether the ranges around what bands touch of a binding that they write lie apart, one after the
/// other: then also runs of bands touch ranges apart, and a device may keep its part as one.
pub(super) fn ranges_apart(bands: &[Band], id: usize) -> bool {
    let touched: Vec<Range<u64>> = bands
        .iter()
        .map(|band| &band.footprints[id])
        .map(|footprint| cover(&footprint.read.hull(), &footprint.may_write.hull()))
        .filter(|range| !range.is_empty())
        .collect();
    let read_only = bands.iter().all(|band| band.footprints[id].may_write.is_empty());
    read_only
        || touched.windows(2).all(|w| w[0].end <= w[1].start)
        || touched.windows(2).all(|w| w[1].end <= w[0].start)
}

/// The index that could not be bounded in the footprint of a binding: that of the band in the
/// middle, or else of any band.
pub(super) fn unbounded(split: &Split, binding: usize) -> Option<Span> {
    let bands = split.bands();
    let of = |band: &Band| band.footprints[binding].unbounded;
    of(bands.get(bands.len() / 2)?).or_else(|| bands.iter().find_map(of))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn footprint(read: Range<u64>, may: Range<u64>, must: Range<u64>) -> Footprint {
        let (read, may_write) = (read.into(), may.into());
        Footprint { read, may_write, must_write: must, ..Footprint::default() }
    }

    #[test]
    fn only_what_may_stay_unwritten_or_is_read_is_uploaded() {
        assert_eq!(upload(&footprint(0..0, 4..9, 4..9)), 0..0);
        assert_eq!(upload(&footprint(0..0, 4..9, 0..0)), 4..9);
        assert_eq!(upload(&footprint(0..0, 4..9, 4..7)), 7..9);
        assert_eq!(upload(&footprint(0..0, 4..9, 6..7)), 4..9);
        assert_eq!(upload(&footprint(1..3, 4..9, 4..9)), 1..3);
        assert_eq!(upload(&footprint(1..6, 4..9, 4..7)), 1..9);
    }

    #[test]
    fn ranges_are_apart_when_those_of_runs_are() {
        let apart = |ranges: &[(Range<u64>, Range<u64>)]| {
            let band = |(read, may): &(Range<u64>, Range<u64>)| Band {
                start: 0,
                end: 1,
                footprints: vec![footprint(read.clone(), may.clone(), 0..0)],
            };
            ranges_apart(&ranges.iter().map(band).collect::<Vec<_>>(), 0)
        };
        assert!(apart(&[(0..0, 0..4), (4..6, 4..8), (0..0, 0..0), (0..0, 9..10)]));
        assert!(apart(&[(0..0, 8..9), (0..0, 4..8), (1..2, 0..1)]));
        assert!(apart(&[(0..9, 0..0), (0..9, 0..0)]), "what is only read");
        // Apart one by one, but what two of them write lies around what another does.
        assert!(!apart(&[(0..0, 0..1), (0..0, 2..3), (0..0, 1..2)]));
        assert!(!apart(&[(0..0, 0..1), (5..6, 1..2), (0..0, 2..3)]));
    }

    #[test]
    fn a_hole_between_bands_is_not_surely_written() {
        let band = |range: Range<u64>| Band {
            start: 0,
            end: 1,
            footprints: vec![footprint(0..0, range.clone(), range)],
        };
        let joined = hull(&[band(0..4), band(4..8)], 0);
        assert_eq!((joined.may_write.hull(), joined.must_write), (0..8, 0..8));
        let apart = hull(&[band(0..4), band(6..8)], 0);
        assert_eq!((apart.may_write.len(), apart.must_write), (6, 0..4));
        let falling = hull(&[band(4..8), band(0..4)], 0);
        assert_eq!(falling.must_write, 0..8);
    }
}
