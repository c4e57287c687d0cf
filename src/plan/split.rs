//! What becomes of the grid, and how the writes of chunks are merged. Data without decisions.

use std::sync::Arc;

use naga::Span;

use super::band::Band;
use super::tiling::{Room, Tiling};
use crate::analysis::Reduction;
use crate::kernel::Layout;

/// What becomes of the grid.
#[derive(Debug, Clone)]
pub(crate) enum Split {
    /// The grid has no workgroups.
    Nothing,
    /// One device runs it all.
    Whole {
        /// Why it was not split.
        reason: String,
        /// The WGSL line of the reason, rendered; empty where there is none.
        at: String,
        /// The one band.
        band: Band,
    },
    /// Devices take runs of consecutive bands along an axis.
    Bands {
        /// 0, 1 or 2 for x, y or z.
        axis: usize,
        /// In order along the axis.
        bands: Arc<[Band]>,
        /// By binding.
        merges: Arc<[Merge]>,
        /// The second axis, if the grid is cut along two. Bands are tiles then, row by row.
        tiling: Option<Arc<Tiling>>,
    },
}

impl Split {
    /// The bands that devices may take, in order.
    pub(super) fn bands(&self) -> &[Band] {
        match self {
            Split::Nothing => &[],
            Split::Whole { band, .. } => std::slice::from_ref(band),
            Split::Bands { bands, .. } => bands,
        }
    }
}

/// How what chunks write to a buffer comes together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Merge {
    /// Their writes lie apart, and go to the buffer itself.
    Apart,
    /// Each writes to a copy that starts as the launch's input; what differs is taken over, the
    /// highest chunk winning.
    Difference {
        /// Why the writes can't be shown to lie apart.
        why: String,
        /// The WGSL line, rendered; empty where there is none.
        at: String,
    },
    /// Each updates a copy that starts as the launch's input; the updates are put together.
    Reduce(Reduction),
    /// Either of the two above, for each member.
    Members(Arc<ByMember>),
}

/// How the chunks' writes to the members of a buffer are merged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ByMember {
    /// The names of members that are written, and the reduction into them. Without a reduction,
    /// elements that differ from the input are taken over.
    pub(crate) parts: Vec<(Vec<String>, Option<Reduction>)>,
    /// The scalars of the header that are reduced into, by ascending offset.
    pub(crate) header: Vec<(u64, Reduction)>,
    /// The same for the scalars of each element.
    pub(crate) element: Vec<(u64, Reduction)>,
}

impl Merge {
    /// Whether, for at least some scalars, the store of the highest chunk wins.
    pub(crate) fn keeps_the_last(&self) -> bool {
        match self {
            Merge::Apart | Merge::Reduce(_) => false,
            Merge::Difference { .. } => true,
            Merge::Members(by_member) => by_member.parts.iter().any(|part| part.1.is_none()),
        }
    }

    /// The reduction into the scalar at byte offset `at` of a buffer, if it is reduced into.
    pub(crate) fn reduction(&self, layout: &Layout, at: u64) -> Option<Reduction> {
        let by_member = match self {
            Merge::Apart | Merge::Difference { .. } => return None,
            Merge::Reduce(reduction) => return Some(*reduction),
            Merge::Members(by_member) => by_member,
        };
        let (list, offset) = match at.checked_sub(layout.header) {
            None => (&by_member.header, at),
            Some(inside) => (&by_member.element, inside % layout.stride),
        };
        let found = list.binary_search_by_key(&offset, |scalar| scalar.0).ok()?;
        Some(list[found].1)
    }
}

/// What the caller asks of a plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Wishes {
    /// Exactly so many chunks, where the grid allows it.
    pub(crate) chunks: Option<u32>,
    /// The kernel has no data race: what may overlap is merged, and reads see the launch's input.
    pub(crate) race_free: bool,
    /// The same shares for the same devices each time, and nothing computed twice.
    pub(crate) reproducible: bool,
    /// Cut into at least so many bands even if one device runs them all: the whole does not fit.
    pub(crate) least_bands: u32,
    /// Cut into tiles with room for so much, if there are such: no bands along one axis fit.
    pub(crate) tiles: Option<Room>,
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

/// The index that could not be bounded in the footprint of a binding: that of the band in the
/// middle, or else of any band.
pub(super) fn unbounded(split: &Split, binding: usize) -> Option<Span> {
    let bands = split.bands();
    let of = |band: &Band| band.footprints[binding].unbounded;
    of(bands.get(bands.len() / 2)?).or_else(|| bands.iter().find_map(of))
}
