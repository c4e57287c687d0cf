//! The grid of a launch, in workgroups, and boxes inside it.

/// A box of workgroups: the whole grid, or the part of it that one chunk computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct GroupBox {
    /// The first workgroup along x, y and z.
    pub(crate) first: [u32; 3],
    /// The number of workgroups along x, y and z. A zero makes the box empty.
    pub(crate) count: [u32; 3],
}

impl GroupBox {
    /// The box of a whole grid.
    pub(crate) fn whole(grid: [u32; 3]) -> GroupBox {
        GroupBox { first: [0; 3], count: grid }
    }

    /// The part of the box from `start` to `end` along an axis, counted from the grid's origin.
    pub(crate) fn band(self, axis: usize, start: u32, end: u32) -> GroupBox {
        let mut part = self;
        part.first[axis] = start;
        part.count[axis] = end - start;
        part
    }

    /// The number of workgroups in the box, at most (2³² − 1)³.
    pub(crate) fn workgroups(self) -> u128 {
        self.count.iter().map(|&n| u128::from(n)).product()
    }
}
