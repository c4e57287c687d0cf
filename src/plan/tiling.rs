//! The second axis of a grid that is cut into tiles: which tiles form a box, and which windows are boxes.

use std::ops::Range;

use crate::analysis::Footprint;
use crate::pitch::Pitch;

/// The memory that a tile may take, the least of all copying devices, and why there are tiles.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Room {
    /// Bytes of all windows.
    pub(crate) memory: u64,
    /// Bytes of one window.
    pub(crate) binding: u64,
    /// Which bands did not fit, as a sentence.
    pub(crate) why: String,
}

/// The second axis of a cut into tiles.
#[derive(Debug, Clone)]
pub(crate) struct Tiling {
    pub(crate) axis: usize,
    /// The begins of the tiles of a row along the axis, and the end of the last.
    pub(crate) edges: Vec<u32>,
    /// By binding: whether its windows are boxes.
    pub(crate) pitched: Vec<bool>,
    /// Lengths that rows of an array may have, in elements.
    pub(crate) lengths: Vec<u64>,
    /// Which bands along one axis did not fit, as a sentence.
    pub(crate) why: String,
}

impl Tiling {
    /// The number of tiles in a row.
    pub(crate) fn columns(&self) -> u32 {
        self.edges.len() as u32 - 1
    }

    /// Whether a run of tiles is a box: its tiles lie in one row, or are all tiles.
    pub(crate) fn is_box(&self, run: &Range<u32>, tiles: u32) -> bool {
        let row = |tile: u32| tile / self.columns();
        run.is_empty() || row(run.start) == row(run.end - 1) || *run == (0..tiles)
    }

    /// The workgroups along the second axis of a run of tiles; all of them if it has several rows.
    pub(crate) fn across(&self, run: &Range<u32>) -> Range<u32> {
        let columns = self.columns();
        let (first, last) = (run.start, run.end.saturating_sub(1).max(run.start));
        if first / columns != last / columns {
            return self.edges[0]..self.edges[columns as usize];
        }
        self.edges[(first % columns) as usize]..self.edges[(last % columns) as usize + 1]
    }

    /// The window of a binding whose elements are `stride` bytes apart, if it is a box.
    pub(crate) fn pitch(&self, stride: u64, id: usize, footprint: &Footprint) -> Option<Pitch> {
        self.pitched[id].then(|| pitch(stride, footprint, &self.lengths))
    }
}

/// The box around the elements of a binding that are touched.
pub(super) fn pitch(stride: u64, footprint: &Footprint, lengths: &[u64]) -> Pitch {
    // Rows begin at words, also if two elements share a word.
    let step = if stride.is_multiple_of(4) { 1 } else { 2 };
    Pitch::around(&[&footprint.read, &footprint.may_write], lengths, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_tiles_is_a_box_within_a_row_only() {
        let tiling = Tiling {
            axis: 0,
            edges: vec![0, 3, 5, 9],
            pitched: Vec::new(),
            lengths: Vec::new(),
            why: String::new(),
        };
        assert_eq!(tiling.columns(), 3);
        for (run, across) in [(0..1, 0..3), (4..5, 3..5), (3..5, 0..5), (6..9, 0..9)] {
            assert!(tiling.is_box(&run, 9), "{run:?}");
            assert_eq!(tiling.across(&run), across, "{run:?}");
        }
        assert!(!tiling.is_box(&(2..4), 9) && !tiling.is_box(&(0..6), 9));
        // All tiles together are the whole grid, which is a box.
        assert!(tiling.is_box(&(0..9), 9));
        assert_eq!(tiling.across(&(0..9)), 0..9);
    }
}
