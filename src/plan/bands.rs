//! Cutting the grid into bands along one axis. A cut that needs fewer copies is preferred.

use naga::Span;

use super::band::Band;
use super::soundness::merges;
use super::split::{Merge, Split, Wishes};
use super::subgroups::Able;
use crate::analysis::{Footprint, OfLaunch};
use crate::grid::GroupBox;
use crate::kernel::Kernel;

/// More bands balance better, and cost more to analyse. With 64, one band is under 2 % of the launch.
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
        return whole("one chunk was requested".to_owned(), None, consulted);
    }
    // Prefer the axis with the most bands. On a tie, take the outermost: its bands are contiguous in
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

/// Marks the bindings whose contents the footprints depend on.
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
