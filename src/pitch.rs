//! A box of a buffer that is laid out in rows: the same columns of consecutive rows.
//!
//! A tile of a matrix touches few columns of many rows; the range around them is nearly the whole
//! buffer. A device without room for that range gets the box alone, packed. The element `d` places
//! after the origin is in row `d / row` and column `d % row`. The origin is the corner of the box, not
//! the start of a row of the buffer, so that a halo across the ends of the buffer's rows adds columns
//! only; the origin may lie before the buffer. A range is a box of one row that is longer than every
//! buffer.

use std::ops::Range;

use crate::region::Region;

/// A row length that no buffer exceeds: a buffer has less than 2³² elements.
const ENDLESS: u64 = u32::MAX as u64;

/// A box of rows and columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pitch {
    /// The elements from one row to the next in the buffer, at least 1 and less than 2³².
    pub(crate) row: u64,
    /// The element in the first row and column.
    pub(crate) origin: i64,
    pub(crate) rows: u64,
    /// At most `row`, or, where elements share words, one more.
    pub(crate) columns: u64,
}

impl Pitch {
    /// The box of one row that holds a range.
    pub(crate) fn of_range(range: &Range<u64>) -> Pitch {
        let columns = range.end - range.start;
        Pitch { row: ENDLESS, origin: range.start as i64, rows: 1, columns }
    }

    /// The smallest box around the regions whose row length is one of `lengths` or a stride of the
    /// regions. Its columns are a multiple of `step`, so that packed rows begin at words.
    pub(crate) fn around(regions: &[&Region], lengths: &[u64], step: u64) -> Pitch {
        let hulls: Vec<Range<u64>> =
            regions.iter().map(|region| region.hull()).filter(|hull| !hull.is_empty()).collect();
        let start = hulls.iter().map(|hull| hull.start).min().unwrap_or(0);
        let end = hulls.iter().map(|hull| hull.end).max().unwrap_or(0);
        let mut best = Pitch::of_range(&(start..end));
        let strides = regions.iter().flat_map(|region| region.strides());
        for row in strides.chain(lengths.iter().copied()) {
            // An element before the origin must not wrap around to a place after the last row.
            if row < 2 || start == end || end.saturating_add(row) >= ENDLESS {
                continue;
            }
            let arcs = regions.iter().map(|region| region.arcs(row));
            let Some(arcs) = arcs.collect::<Option<Vec<_>>>() else { continue };
            let arcs: Vec<(u64, u64)> = arcs.into_iter().flatten().collect();
            // The number of columns if the box begins at the first column of a piece.
            let from = |corner: u64| {
                let ends = arcs.iter().map(|(first, len)| (first + row - corner) % row + len);
                ends.max().filter(|columns| *columns <= row)
            };
            let corners = arcs.iter().filter_map(|(corner, _)| Some((from(*corner)?, *corner)));
            let Some((columns, corner)) = corners.min() else { continue };
            let before = (start % row + row - corner) % row;
            let (row, origin) = (row as i64, start as i64 - before as i64);
            let rows = ((end as i64 - 1 - origin) / row) as u64 + 1;
            let columns = columns.next_multiple_of(step);
            let found = Pitch { row: row as u64, origin, rows, columns };
            if found.len() < best.len() {
                best = found;
            }
        }
        best
    }

    /// The number of elements in the box.
    pub(crate) fn len(&self) -> u64 {
        self.rows.saturating_mul(self.columns)
    }
}

/// The packed layout of a box.
#[cfg(any(test, feature = "gpu"))]
impl Pitch {
    /// The row and the column of an element; `None` before the origin.
    fn place(&self, element: u64) -> Option<(u64, u64)> {
        let behind = u64::try_from(element as i64 - self.origin).ok()?;
        Some((behind / self.row, behind % self.row))
    }

    /// Whether the elements of a range lie in the box, and are consecutive when packed.
    pub(crate) fn holds(&self, range: &Range<u64>) -> bool {
        let Some(last) = range.end.checked_sub(1).filter(|last| range.start <= *last) else {
            return true;
        };
        let inside = |(row, column): &(u64, u64)| *row < self.rows && *column < self.columns;
        let ends = (self.place(range.start).filter(inside), self.place(last).filter(inside));
        match ends {
            (Some((first, _)), Some((last, _))) => first == last || self.columns >= self.row,
            _ => false,
        }
    }

    /// The index of an element of the box in the packed rows.
    pub(crate) fn position(&self, element: u64) -> u64 {
        let (row, column) = self.place(element).unwrap_or_default();
        row * self.columns + column
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(pitch: &Pitch, region: &Region) {
        let mut last = None;
        let mut elements = Vec::new();
        region.for_each_run(|run| elements.extend(run));
        elements.sort_unstable();
        for element in elements {
            assert!(pitch.holds(&(element..element + 1)), "{element} in {pitch:?}");
            let at = pitch.position(element);
            assert!(last.is_none_or(|last| last < at) && at < pitch.len(), "{pitch:?}");
            last = Some(at);
        }
    }

    #[test]
    fn the_box_around_columns_has_no_other_columns_and_packs_them() {
        let all = 0..5000;
        let columns = Region::of_box(1020, &[(1, 20), (100, 30)], &all);
        let pitch = Pitch::around(&[&columns], &[], 1);
        assert_eq!(pitch, Pitch { row: 100, origin: 1020, rows: 30, columns: 20 });
        packed(&pitch, &columns);
        assert!(!pitch.holds(&(1019..1020)) && !pitch.holds(&(1040..1041)));
        assert!(!pitch.holds(&(4020..4021)) && !pitch.holds(&(20..21)));
        assert!(!pitch.holds(&(1030..1130)), "over other columns");
        // Two boxes, one of them with a halo above.
        let halo = Region::from(919..941);
        let both = Pitch::around(&[&columns, &halo], &[], 2);
        assert_eq!(both, Pitch { row: 100, origin: 919, rows: 31, columns: 22 });
        let odd = Pitch::around(&[&columns, &Region::from(920..941)], &[], 2);
        assert_eq!(odd.columns, 22);
    }

    #[test]
    fn a_halo_over_the_ends_of_rows_is_one_of_columns() {
        let all = 0..5000;
        let mut region = Region::of_box(0, &[(1, 20), (100, 50)], &all);
        region.widen(&Region::of_box(-1, &[(1, 20), (100, 50)], &all));
        let pitch = Pitch::around(&[&region], &[100], 1);
        assert_eq!(pitch, Pitch { row: 100, origin: -1, rows: 50, columns: 21 });
        packed(&pitch, &region);
        let region = Region::of_box(90, &[(1, 20), (100, 30)], &all);
        let pitch = Pitch::around(&[&region], &[], 1);
        assert_eq!(pitch, Pitch { row: 100, origin: 90, rows: 30, columns: 20 });
        packed(&pitch, &region);
    }

    #[test]
    fn what_has_no_rows_is_a_range() {
        let all = 0..5000;
        for region in
            [Region::of_box(7, &[(1, 20), (33, 30), (100, 3)], &all), Region::from(3..4000)]
        {
            let pitch = Pitch::around(&[&region], &[100], 1);
            assert_eq!(pitch, Pitch::of_range(&region.hull()), "{region:?}");
            assert!(pitch.holds(&region.hull()) && !pitch.holds(&(0..1)));
            assert_eq!(pitch.position(region.hull().end - 1) + 1, pitch.len());
        }
        let nothing = Pitch::around(&[&Region::default()], &[100], 1);
        assert_eq!(nothing.len(), 0);
        // Rows whose end exceeds a u32.
        let far = (1 << 32) - 2_000;
        let region = Region::of_box(far, &[(1, 2), (1000, 2)], &(0..(1 << 32) - 1));
        assert_eq!(Pitch::around(&[&region], &[], 1), Pitch::of_range(&region.hull()));
    }
}
