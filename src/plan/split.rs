//! How the grid is split, and how the writes of chunks are merged. Data only, without decisions.

use std::sync::Arc;

use naga::Span;

use super::band::Band;
use super::tiling::{Room, Tiling};
use crate::analysis::Reduction;
use crate::kernel::Layout;

/// How the grid is split.
#[derive(Debug, Clone)]
pub(crate) enum Split {
    /// The grid has no workgroups.
    Nothing,
    /// One device runs the whole grid.
    Whole {
        /// Why the grid is not split.
        reason: String,
        /// The WGSL line of the reason, rendered; empty if there is none.
        at: String,
        /// The only band.
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
        /// The second axis, if the grid is cut along two. The bands are then tiles, row by row.
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

/// How the chunks' writes to a buffer are merged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Merge {
    /// The writes are disjoint, and go to the buffer itself.
    Apart,
    /// Each chunk writes to a copy of the launch's input. Scalars that differ from the input are taken
    /// over; of several chunks, the highest wins.
    Difference {
        /// Why the writes can't be shown to be disjoint.
        why: String,
        /// The WGSL line, rendered; empty if there is none.
        at: String,
    },
    /// Each chunk updates a copy of the launch's input, and the updates are combined.
    Reduce(Reduction),
    /// `Difference` or `Reduce`, for each member.
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

/// The caller's requests for a plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Wishes {
    /// The exact number of chunks, as far as the grid allows it.
    pub(crate) chunks: Option<u32>,
    /// The promise that the kernel has no data race. Writes that may overlap are merged, and reads see
    /// the launch's input.
    pub(crate) race_free: bool,
    /// Each device gets the same share each time, and nothing is computed twice.
    pub(crate) reproducible: bool,
    /// The least number of bands, even if one device runs them all. Used if the whole does not fit.
    pub(crate) least_bands: u32,
    /// The room that tiles must fit. Used if no bands along one axis fit.
    pub(crate) tiles: Option<Room>,
}

/// Whether no band reads elements that it may write in place, nor writes a header in place.
pub(super) fn rerunnable(split: &Split) -> bool {
    let Split::Bands { bands, merges, .. } = split else { return false };
    bands.iter().all(|band| {
        band.footprints.iter().zip(merges.iter()).all(|(print, merge)| {
            *merge != Merge::Apart || !print.writes_header && !print.read.may_meet(&print.may_write)
        })
    })
}

/// The index that could not be bounded in the footprint of a binding: that of the middle band, or
/// else of any band.
pub(super) fn unbounded(split: &Split, binding: usize) -> Option<Span> {
    let bands = split.bands();
    let of = |band: &Band| band.footprints[binding].unbounded;
    of(bands.get(bands.len() / 2)?).or_else(|| bands.iter().find_map(of))
}
