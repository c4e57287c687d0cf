//! Bands, and the footprints of runs of consecutive bands.
//!
//! A band is the smallest part of a launch that a device may take: consecutive workgroups along one axis, and all along
//! the others. The write set of a run is exactly the union of the elements that its bands may write. Its read set, and
//! the window of a copying device, may also have elements in between.

use std::ops::Range;

use crate::analysis::Footprint;

/// Consecutive workgroups along the split's axis. Of a tile, this is the first axis; `Tiling` has the
/// second.
#[derive(Debug, Clone)]
pub(crate) struct Band {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// By binding.
    pub(crate) footprints: Vec<Footprint>,
}

/// The smallest range that contains both.
pub(super) fn cover(a: &Range<u64>, b: &Range<u64>) -> Range<u64> {
    match (a.is_empty(), b.is_empty()) {
        (true, true) => 0..0,
        (true, false) => b.clone(),
        (false, true) => a.clone(),
        (false, false) => a.start.min(b.start)..a.end.max(b.end),
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

/// The elements that are uploaded before the chunk starts: those that it reads, and those of the
/// range copied back that it may leave unwritten.
pub(super) fn upload(footprint: &Footprint) -> Range<u64> {
    let (may, must) = (&footprint.may_write.hull(), &footprint.must_write);
    let kept = if must.is_empty() || must.start >= may.end || must.end <= may.start {
        may.clone()
    } else {
        cover(&(may.start..must.start.max(may.start)), &(must.end.min(may.end)..may.end))
    };
    cover(&footprint.read.hull(), &kept)
}

/// Whether the bands' hulls in a written binding are disjoint and in order. Hulls of runs are then
/// disjoint too, so a device may keep its part as one range. True of a binding that is only read.
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
        // Disjoint band by band, but the hull of two bands contains a third.
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
