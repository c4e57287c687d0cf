//! Sets of elements of a buffer: unions of a few strided boxes.
//!
//! A box is the set of elements that nested loops over an array touch. It has a start, and for each
//! dimension (rows of a matrix, columns of a row) a stride and a count. It is clipped to a range,
//! since the last row is often shorter. A [`Region`] holds at least the elements that were put in.
//! Every answer errs on the large side: `may_meet` is false only where that is proven. The pieces of
//! a region that was never widened past [`MOST_PIECES`] are the boxes themselves.

use std::ops::Range;

/// Widening replaces more boxes than this by the range around them.
const MOST_PIECES: usize = 8;
/// The most dimensions of a box. A box with more becomes the range around it.
const MOST_DIMS: usize = 4;
/// The most steps of one search for a common element.
const FUEL: u32 = 400;
/// A box with a start or an extent beyond this becomes a range, so that no sum overflows.
const FAR: i128 = 1 << 60;

/// A union of boxes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Region {
    /// Sorted by the start of their hulls. A piece may have no element.
    pieces: Vec<Piece>,
}

/// One dimension of a box: `count` (at least 2) positions, `stride` elements apart.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Dim {
    stride: u64,
    count: u64,
}

/// The elements `start + Σ strideᵢ xᵢ` with `0 <= xᵢ < countᵢ` that lie in `within`.
#[derive(Debug, Clone, PartialEq)]
struct Piece {
    /// May lie before `within`.
    start: i64,
    /// Sorted by stride. Only the first `used` are valid.
    dims: [Dim; MOST_DIMS],
    used: usize,
    /// Not empty, and inside the range around the box.
    within: Range<u64>,
}

impl Region {
    /// The elements `start + Σ stride * x` for all `0 <= x < count` that lie in `within`. Strides
    /// are positive.
    pub(crate) fn of_box(start: i128, dims: &[(i128, i128)], within: &Range<u64>) -> Region {
        Region { pieces: Piece::new(start, dims, within).into_iter().collect() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The smallest range around the region; `0..0` if it is empty.
    pub(crate) fn hull(&self) -> Range<u64> {
        let start = self.pieces.iter().map(|p| p.within.start).min().unwrap_or(0);
        let end = self.pieces.iter().map(|p| p.within.end).max().unwrap_or(0);
        start..end
    }

    /// Whether the region is one range.
    pub(crate) fn is_range(&self) -> bool {
        match self.pieces.as_slice() {
            [] => true,
            [piece] => piece.is_range(),
            _ => false,
        }
    }

    /// The boxes, if each of them is a range.
    pub(crate) fn ranges(&self) -> Option<Vec<Range<u64>>> {
        let range = |piece: &Piece| piece.is_range().then(|| piece.within.clone());
        self.pieces.iter().map(range).collect()
    }

    /// The number of elements, or more where boxes overlap.
    pub(crate) fn len(&self) -> u64 {
        let sum = self.pieces.iter().map(Piece::len).fold(0, u64::saturating_add);
        let hull = self.hull();
        sum.min(hull.end - hull.start)
    }

    /// The sum of the dimensions of all boxes.
    pub(crate) fn dims(&self) -> usize {
        self.pieces.iter().map(|p| p.used).sum()
    }

    /// The number of rows, their length and their stride, if the region is one box of two dimensions.
    /// A box of one dimension with a stride has rows of one element.
    pub(crate) fn rows(&self) -> Option<(u64, u64, u64)> {
        let [piece] = self.pieces.as_slice() else { return None };
        match piece.dims() {
            [row] if row.stride > 1 => Some((row.count, 1, row.stride)),
            [column, row] if column.stride == 1 => Some((row.count, column.count, row.stride)),
            _ => None,
        }
    }

    /// The strides of all boxes that are larger than 1.
    pub(crate) fn strides(&self) -> impl Iterator<Item = u64> {
        let dims = self.pieces.iter().flat_map(|piece| piece.dims());
        dims.map(|dim| dim.stride).filter(|stride| *stride > 1)
    }

    /// The columns of each box if the buffer is laid out in rows of `row` elements: the first column,
    /// and the number of columns from there, which may wrap around the end of a row. `None` if a box
    /// covers more columns than a row has.
    pub(crate) fn arcs(&self, row: u64) -> Option<Vec<(u64, u64)>> {
        let arc = |piece: &Piece| {
            let first = piece.start.rem_euclid(i64::try_from(row).ok()?) as u64;
            let others = piece.dims().iter().filter(|dim| dim.stride % row != 0);
            let len = others.fold(1u64, |len, dim| {
                len.saturating_add(dim.stride.saturating_mul(dim.count - 1))
            });
            (len <= row).then_some((first, len))
        };
        self.pieces.iter().map(arc).collect()
    }

    /// Adds the elements of another region, and further elements where that needs fewer boxes.
    pub(crate) fn widen(&mut self, more: &Region) {
        for piece in &more.pieces {
            self.add(piece.clone(), true);
        }
        if self.pieces.len() > MOST_PIECES {
            *self = Region::from(self.hull());
        }
    }

    /// Adds the elements of another region, and no others.
    pub(crate) fn append(&mut self, more: &Region) {
        for piece in &more.pieces {
            self.add(piece.clone(), false);
        }
    }

    fn add(&mut self, mut piece: Piece, generous: bool) {
        if self.pieces.iter().any(|known| known.surely_holds(&piece)) {
            return;
        }
        // The joined box may join with further pieces.
        while let Some((at, both)) = self
            .pieces
            .iter()
            .enumerate()
            .find_map(|(at, known)| Some((at, known.joined(&piece, generous)?)))
        {
            self.pieces.remove(at);
            piece = both;
        }
        let at = self.pieces.partition_point(|p| p.within.start <= piece.within.start);
        self.pieces.insert(at, piece);
    }

    /// The region with `by` added to each element. No element may become negative.
    pub(crate) fn shifted(&self, by: i64) -> Region {
        let moved = |piece: &Piece| Piece {
            start: piece.start + by,
            within: piece.within.start.wrapping_add_signed(by)
                ..piece.within.end.wrapping_add_signed(by),
            ..piece.clone()
        };
        Region { pieces: self.pieces.iter().map(moved).collect() }
    }

    /// Whether the two regions may have an element in common.
    pub(crate) fn may_meet(&self, other: &Region) -> bool {
        self.pieces.iter().any(|a| other.pieces.iter().any(|b| a.may_meet(b)))
    }

    /// Whether an element may be in the region.
    #[cfg(test)]
    pub(crate) fn may_hold(&self, element: u64) -> bool {
        self.may_meet(&Region::from(element..element + 1))
    }

    /// Calls `run` with each range of consecutive elements, box by box. An element of two boxes comes
    /// twice.
    pub(crate) fn for_each_run(&self, mut run: impl FnMut(Range<u64>)) {
        for piece in &self.pieces {
            piece.runs(piece.used, i128::from(piece.start), &mut run);
        }
    }
}

impl From<Range<u64>> for Region {
    fn from(range: Range<u64>) -> Region {
        Region::of_box(
            range.start.into(),
            &[(1, i128::from(range.end) - i128::from(range.start))],
            &range,
        )
    }
}

/// Rows of a box that are cheap to enumerate, however few elements the box has.
const MOST_ROWS: i128 = 1 << 12;

impl Piece {
    fn new(start: i128, dims: &[(i128, i128)], within: &Range<u64>) -> Option<Piece> {
        if within.is_empty() || dims.iter().any(|d| d.1 <= 0) {
            return None;
        }
        let mut sorted: Vec<(i128, i128)> = dims.iter().copied().filter(|d| d.1 > 1).collect();
        sorted.sort_unstable();
        // A dimension whose rows fill the gaps of the next one is merged with it.
        let mut merged: Vec<(i128, i128)> = Vec::with_capacity(sorted.len());
        for (stride, count) in sorted {
            match merged.last_mut() {
                Some((below, n)) if stride % *below == 0 && stride / *below <= *n => {
                    *n += stride / *below * (count - 1);
                }
                _ => merged.push((stride, count)),
            }
        }
        let extent: i128 =
            merged.iter().map(|d| d.0.saturating_mul(d.1 - 1)).fold(0, i128::saturating_add);
        if extent > FAR || start.abs() > FAR || merged.len() > MOST_DIMS {
            let end = start.saturating_add(extent).saturating_add(1);
            let hull = clamped(start, end, within);
            return (!hull.is_empty()).then(|| Piece::range(hull));
        }
        let (mut start, mut extent) = (start, extent);
        // Rows outside of `within` are dropped.
        while let Some((stride, count)) = merged.last_mut() {
            let row = extent - *stride * (*count - 1);
            let below = i128::from(within.start) - (start + row);
            let skip = if below > 0 { (below + *stride - 1) / *stride } else { 0 };
            let above = start + extent - row - (i128::from(within.end) - 1);
            let drop = if above > 0 { (above + *stride - 1) / *stride } else { 0 };
            if skip + drop >= *count {
                return None;
            }
            start += skip * *stride;
            *count -= skip + drop;
            extent = row + *stride * (*count - 1);
            if *count > 1 {
                break;
            }
            merged.pop();
        }
        let within = clamped(start, start + extent + 1, within);
        if within.is_empty() {
            return None;
        }
        // A single run is clipped for good, so that it is a plain range.
        if matches!(merged.as_slice(), [] | [(1, _)]) {
            return Some(Piece::range(within));
        }
        // A box with far more rows than elements has overlapping rows, and enumerating them would take
        // too long.
        let len = i128::from(within.end - within.start);
        let inner = usize::from(merged[0].0 == 1);
        let rows = merged.iter().enumerate().skip(inner).fold(1i128, |rows, (at, d)| {
            let touched = if at == 0 { len / d.0 + 1 } else { d.1 };
            rows.saturating_mul(d.1.min(touched))
        });
        if rows > MOST_ROWS + 4 * len {
            return Some(Piece::range(within));
        }
        let mut piece =
            Piece { start: start as i64, dims: Default::default(), used: merged.len(), within };
        for (dim, (stride, count)) in piece.dims.iter_mut().zip(merged) {
            *dim = Dim { stride: stride as u64, count: count as u64 };
        }
        Some(piece)
    }

    fn range(range: Range<u64>) -> Piece {
        let mut dims = [Dim::default(); MOST_DIMS];
        let count = range.end - range.start;
        dims[0] = Dim { stride: 1, count };
        Piece { start: range.start as i64, dims, used: usize::from(count > 1), within: range }
    }

    fn dims(&self) -> &[Dim] {
        &self.dims[..self.used]
    }

    fn wide(&self) -> Vec<(i128, i128)> {
        self.dims().iter().map(|d| (d.stride.into(), d.count.into())).collect()
    }

    fn is_range(&self) -> bool {
        matches!(self.dims(), [] | [Dim { stride: 1, .. }])
    }

    /// The distance from the first to the last element of the first `dims` dimensions.
    fn extent(&self, dims: usize) -> i128 {
        let of = |d: &Dim| i128::from(d.stride) * (i128::from(d.count) - 1);
        self.dims[..dims].iter().map(of).sum()
    }

    fn len(&self) -> u64 {
        let whole = self.within.end - self.within.start;
        self.count(self.used, i128::from(self.start)).min(whole)
    }

    /// The number of elements of the first `dims` dimensions, from `start` on, that lie in `within`.
    fn count(&self, dims: usize, start: i128) -> u64 {
        let (lo, hi) = (i128::from(self.within.start), i128::from(self.within.end) - 1);
        let end = start + self.extent(dims);
        if end < lo || hi < start {
            return 0;
        }
        if lo <= start && end <= hi {
            return self.dims[..dims].iter().map(|d| d.count).fold(1, u64::saturating_mul);
        }
        if dims == 0 {
            return 1;
        }
        let dim = self.dims[dims - 1];
        let (stride, last) = (i128::from(dim.stride), i128::from(dim.count) - 1);
        let row = self.extent(dims - 1);
        // The rows that touch `within`, and of those the ones that lie wholly in it.
        let first = (div_up(lo - start - row, stride)).clamp(0, last);
        let touched = ((hi - start).div_euclid(stride)).clamp(0, last);
        let whole_first = div_up(lo - start, stride).clamp(first, touched + 1);
        let whole_end = ((hi - row - start).div_euclid(stride) + 1).clamp(whole_first, touched + 1);
        let inner = self.dims[..dims - 1].iter().map(|d| d.count).fold(1, u64::saturating_mul);
        let mut sum = inner.saturating_mul((whole_end - whole_first) as u64);
        // The other rows are few, unless rows overlap a lot.
        let edges = (first..whole_first).chain(whole_end..touched + 1);
        for (turn, at) in edges.enumerate() {
            if turn > 64 {
                return u64::MAX;
            }
            sum = sum.saturating_add(self.count(dims - 1, start + at * stride));
        }
        sum
    }

    fn runs(&self, dims: usize, start: i128, run: &mut impl FnMut(Range<u64>)) {
        if dims == 0 || (dims == 1 && self.dims[0].stride == 1) {
            let found = clamped(start, start + self.extent(dims) + 1, &self.within);
            if !found.is_empty() {
                run(found);
            }
            return;
        }
        let dim = self.dims[dims - 1];
        let (stride, last) = (i128::from(dim.stride), i128::from(dim.count) - 1);
        // Rows outside of `within` have no run.
        let row = self.extent(dims - 1);
        let first = div_up(i128::from(self.within.start) - start - row, stride).max(0);
        let end = (i128::from(self.within.end) - 1 - start).div_euclid(stride).min(last);
        for at in first..=end {
            self.runs(dims - 1, start + stride * at, run);
        }
    }

    /// Whether every element of another piece is proven to be in this one.
    fn surely_holds(&self, other: &Piece) -> bool {
        let inside = self.within.start <= other.within.start && other.within.end <= self.within.end;
        inside && (self.is_range() || (self.start == other.start && self.dims() == other.dims()))
    }

    /// One box for both pieces, if there is one with exactly their elements. If `generous`, it may
    /// have other elements, but no more than the sum of both counts.
    fn joined(&self, other: &Piece, generous: bool) -> Option<Piece> {
        let (a, b) = (&self.within, &other.within);
        if self.is_range() && other.is_range() {
            let near = a.start <= b.end && b.start <= a.end;
            return near.then(|| Piece::range(a.start.min(b.start)..a.end.max(b.end)));
        }
        // With the strides of both, and 1, the offset between the pieces is a whole number of steps
        // along each.
        let mut strides: Vec<i128> =
            self.dims().iter().chain(other.dims()).map(|d| d.stride.into()).collect();
        if !strides.contains(&1) {
            strides.push(1);
        }
        strides.sort_unstable();
        strides.dedup();
        let mut rest = i128::from(other.start) - i128::from(self.start);
        let mut start = i128::from(self.start);
        let mut dims = Vec::with_capacity(strides.len());
        let mut differing = 0;
        for &stride in strides.iter().rev() {
            let count = |piece: &Piece| {
                let dim = piece.dims().iter().find(|d| i128::from(d.stride) == stride);
                dim.map_or(1, |d| i128::from(d.count))
            };
            let (n, m) = (count(self), count(other));
            // The nearest whole number of steps.
            let steps = (rest + stride / 2).div_euclid(stride);
            rest -= steps * stride;
            let (lo, hi) = (steps.min(0), n.max(steps + m));
            if steps != 0 || n != m {
                differing += 1;
                // With a gap between the pieces, the box around both has further elements.
                if steps > n || -steps > m {
                    differing += 2;
                }
            }
            start += lo * stride;
            dims.push((stride, hi - lo));
        }
        debug_assert_eq!(rest, 0, "the last stride is 1");
        let clipped = |piece: &Piece| {
            i128::from(piece.within.start) > i128::from(piece.start)
                || i128::from(piece.within.end)
                    <= i128::from(piece.start) + piece.extent(piece.used)
        };
        let exact = differing <= 1 && !clipped(self) && !clipped(other);
        if !exact && !generous {
            return None;
        }
        let both = Piece::new(start, &dims, &(a.start.min(b.start)..a.end.max(b.end)))?;
        (exact || both.len() <= self.len().saturating_add(other.len())).then_some(both)
    }

    fn may_meet(&self, other: &Piece) -> bool {
        let common =
            self.within.start.max(other.within.start)..self.within.end.min(other.within.end);
        if common.is_empty() {
            return false;
        }
        if self.is_range() && other.is_range() {
            return true;
        }
        // Common elements lie in the common range only.
        let cut = |piece: &Piece| {
            if piece.within == common {
                return Some(piece.clone());
            }
            Piece::new(piece.start.into(), &piece.wide(), &common)
        };
        let (Some(a), Some(b)) = (cut(self), cut(other)) else { return false };
        // The equation Σ s x - Σ t y = b.start - a.start. Terms with equal strides share an unknown.
        let mut terms: Vec<(i128, i128, i128)> = Vec::with_capacity(2 * MOST_DIMS);
        for dim in a.dims() {
            terms.push((dim.stride.into(), 0, i128::from(dim.count) - 1));
        }
        for dim in b.dims() {
            let (stride, lo) = (i128::from(dim.stride), 1 - i128::from(dim.count));
            match terms.iter_mut().find(|t| t.0 == stride) {
                Some(term) => term.1 += lo,
                None => terms.push((stride, lo, 0)),
            }
        }
        terms.sort_unstable_by_key(|t| -t.0);
        let target = i128::from(b.start) - i128::from(a.start);
        solvable(&terms, target, &mut { FUEL })
    }
}

/// Whether `Σ stride * x = target` may have a solution with each `x` between its bounds. The strides
/// are in falling order.
fn solvable(terms: &[(i128, i128, i128)], target: i128, fuel: &mut u32) -> bool {
    let Some((&(stride, lo, hi), rest)) = terms.split_first() else { return target == 0 };
    let divisor = rest.iter().fold(stride, |g, t| gcd(g, t.0));
    if target % divisor != 0 {
        return false;
    }
    let least: i128 = rest.iter().map(|t| t.0 * t.1).sum();
    let most: i128 = rest.iter().map(|t| t.0 * t.2).sum();
    let first = div_up(target - most, stride).max(lo);
    let last = (target - least).div_euclid(stride).min(hi);
    for x in first..=last {
        if *fuel == 0 {
            return true;
        }
        *fuel -= 1;
        if solvable(rest, target - stride * x, fuel) {
            return true;
        }
    }
    false
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// `a / b` rounded up, for a positive `b`.
fn div_up(a: i128, b: i128) -> i128 {
    -((-a).div_euclid(b))
}

fn clamped(start: i128, end: i128, within: &Range<u64>) -> Range<u64> {
    let start = start.clamp(within.start.into(), within.end.into()) as u64;
    let end = end.clamp(within.start.into(), within.end.into()) as u64;
    if start < end { start..end } else { 0..0 }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn elements(region: &Region) -> BTreeSet<u64> {
        let mut all = BTreeSet::new();
        region.for_each_run(|run| all.extend(run));
        all
    }

    fn columns(first: u64, count: i128) -> Region {
        Region::of_box(first.into(), &[(1, count), (100, 50)], &(0..5000))
    }

    #[test]
    fn columns_of_a_matrix_lie_apart_though_the_ranges_around_them_do_not() {
        assert!(!columns(0, 20).may_meet(&columns(20, 20)));
        assert!(columns(0, 21).may_meet(&columns(20, 20)));
        assert_eq!(columns(20, 20).len(), 1000);
        assert_eq!(columns(20, 20).hull(), 20..4940);
        assert_eq!(columns(20, 20).rows(), Some((50, 20, 100)));
        let mut all = columns(0, 20);
        all.append(&columns(20, 80));
        assert_eq!(all, Region::from(0..5000));
    }

    #[test]
    fn interleaved_elements_lie_apart_by_their_phase() {
        let phase = |p| Region::of_box(p, &[(3, 100)], &(0..300));
        assert!(!phase(0).may_meet(&phase(1)) && phase(1).may_meet(&phase(4)));
        let mut all = phase(0);
        all.widen(&phase(1));
        assert_eq!(all.rows(), Some((100, 2, 3)));
        all.widen(&phase(2));
        assert_eq!(all, Region::from(0..300));
    }

    #[test]
    fn the_halo_of_a_band_of_columns_is_part_of_one_box() {
        let mut all = columns(20, 20);
        for other in [columns(19, 20), columns(21, 20), columns(120, 20)] {
            all.widen(&other);
        }
        assert_eq!(all.pieces.len(), 1, "{all:?}");
        assert!(all.len() <= 22 * 51);
    }

    #[test]
    fn dimensions_that_fill_each_other_are_a_range() {
        let got = Region::of_box(7, &[(64, 4), (1, 64), (256, 3)], &(0..10_000));
        assert_eq!(got, Region::from(7..7 + 768));
        // The last row is cut, and the rows after it are dropped.
        let got = Region::of_box(0, &[(1, 10), (100, 9)], &(0..305));
        assert_eq!((got.len(), got.hull()), (35, 0..305));
        assert_eq!(Region::of_box(50, &[(1, 10), (100, 9)], &(60..100)), Region::default());
    }

    #[test]
    fn overlapping_rows_and_rows_outside_are_not_enumerated() {
        let most = 1 << 30;
        // Steps of three and of four reach all but 1, 2 and 5.
        let got = Region::of_box(0, &[(3, most), (4, most)], &(0..64));
        assert_eq!((got.hull(), elements(&got).len()), (0..64, 61));
        // A thousand million rows reach every element; each reaches a third of them.
        let got = Region::of_box(-4_000_000_000, &[(3, most), (4, most)], &(0..64));
        assert_eq!((got.hull(), elements(&got).len()), (0..64, 64));
        // Of a box that begins far below, parts of a few rows lie inside.
        let got = Region::of_box(-3_000_000_000, &[(3, most), (4_000_000_000, 2)], &(0..64));
        let multiples = |first: u64| (first..64).step_by(3);
        assert_eq!(elements(&got), multiples(0).collect());
    }

    /// A random box of up to three dimensions.
    fn any_box(random: &mut impl FnMut(u64) -> u64) -> Region {
        let dims: Vec<(i128, i128)> = (0..random(4))
            .map(|_| ([1, 2, 3, 5, 10, 12, 30, 60][random(8) as usize], 1 + random(7) as i128))
            .collect();
        let start = random(80) as i128 - 20;
        let from = random(60);
        Region::of_box(start, &dims, &(from..from + random(300)))
    }

    #[test]
    fn random_boxes_keep_their_elements_through_every_operation() {
        let mut seed = 1u64;
        let mut random = move |n: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            (seed >> 33) % n
        };
        let mut apart = 0;
        for _ in 0..4000 {
            let boxes: Vec<Region> = (0..4).map(|_| any_box(&mut random)).collect();
            let sets: Vec<BTreeSet<u64>> = boxes.iter().map(elements).collect();
            for (a, x) in boxes.iter().zip(&sets) {
                assert!(a.len() >= x.len() as u64, "{a:?}");
                assert!(!a.is_empty() || x.is_empty(), "{a:?}");
                let hull = a.hull();
                assert!(x.iter().all(|e| hull.contains(e) && a.may_hold(*e)), "{a:?}");
                for (b, y) in boxes.iter().zip(&sets) {
                    let meet = x.intersection(y).next().is_some();
                    assert!(a.may_meet(b) || !meet, "{a:?} {b:?}");
                    apart += u32::from(!a.may_meet(b) && !a.is_empty() && !b.is_empty());
                }
            }
            let union: BTreeSet<u64> = sets.iter().flatten().copied().collect();
            let (mut wide, mut exact) = (Region::default(), Region::default());
            for one in &boxes {
                wide.widen(one);
                exact.append(one);
            }
            assert_eq!(elements(&exact), union, "{boxes:?}");
            assert!(elements(&wide).is_superset(&union), "{boxes:?}");
        }
        assert!(apart > 1000, "{apart}");
    }

    #[test]
    fn a_box_is_checked_against_its_definition() {
        let mut seed = 5u64;
        let mut random = move |n: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
            (seed >> 33) % n
        };
        for _ in 0..3000 {
            let dims: Vec<(i128, i128)> = (0..3)
                .map(|_| ([1, 2, 4, 7, 8, 32][random(6) as usize], 1 + random(6) as i128))
                .collect();
            let start = random(50) as i128 - 25;
            let within = random(20)..20 + random(200);
            let mut want = BTreeSet::new();
            for x in 0..dims[0].1 {
                for y in 0..dims[1].1 {
                    for z in 0..dims[2].1 {
                        let e = start + x * dims[0].0 + y * dims[1].0 + z * dims[2].0;
                        if e >= within.start.into() && e < within.end.into() {
                            want.insert(e as u64);
                        }
                    }
                }
            }
            let got = Region::of_box(start, &dims, &within);
            assert_eq!(elements(&got), want, "{dims:?} from {start} in {within:?}");
        }
    }
}
