//! Whether a launch has more than one right result: whether it shows the order in which its invocations ran, or the
//! composition of its subgroups.
//!
//! Such a launch is neither verified nor computed a second time. The text of the kernel decides for atomics whose results are
//! used; the footprints of two halves of the grid decide for plain stores.

use naga::Span;

use super::bands;
use super::split::{Merge, Split, Wishes};
use super::subgroups::Able;
use crate::analysis::{Facts, OfLaunch, Use};
use crate::kernel::Kernel;

/// Why a second run, on another device or the same, may rightly give other bits whatever the data,
/// with the line. By its text, the kernel may show the order in which invocations ran, or which
/// invocations are in a subgroup.
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
            "its atomic stores to `{}` may show in which order workgroups ran{}",
            name(*id),
            line(kernel, *at)
        ))
    };
    loaded.or_else(stored)
}

/// The line of a span in parentheses, or nothing if it is not known.
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
        format!("two of its workgroups may access the same memory, in no defined order ({why})")
    };
    let two = Able { count: 2, subgroups: Ok(0) };
    match bands::split(kernel, analysis, &two, &halves, &mut consulted) {
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
