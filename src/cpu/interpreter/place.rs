//! A place: the variable that a pointer points into, with constant and dynamic offsets.

use super::functions::Reg;
use super::note::{Checked, Step};
use super::shape::{Measure, Shape};
use crate::kernel::BindingId;

/// The variable that a pointer points into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Root {
    /// The first plane of a variable of the function or private address space.
    Local(Reg),
    Workgroup,
    Storage(BindingId),
    Value(BindingId),
}

impl Root {
    pub(super) fn measure(self) -> Measure {
        match self {
            Root::Local(_) | Root::Workgroup => Measure::Flat,
            Root::Storage(_) | Root::Value(_) => Measure::Bytes,
        }
    }

    /// The size of one unit of the measure, in the unit of addresses.
    pub(super) fn unit(self) -> u64 {
        if self == Root::Workgroup { 4 } else { 1 }
    }
}

/// The compile-time form of a pointer.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Place {
    pub(in crate::cpu) root: Root,
    /// In planes for a local variable, else in bytes.
    pub(super) offset: u64,
    /// The index into a runtime-sized array, whether it is signed, and the array's stride.
    pub(super) outer: Option<(Reg, bool, u64)>,
    /// The sum of the other dynamic indices, in the unit of `offset`.
    pub(super) inner: Option<Reg>,
    pub(in crate::cpu) shape: Shape,
    /// The path of the pointer in the text, and the steps that need a check; both empty unless watched.
    pub(super) steps: Vec<Step>,
    pub(super) checked: Vec<Checked>,
}

impl Place {
    pub(super) fn whole(root: Root, offset: u64, shape: Shape, steps: Vec<Step>) -> Place {
        Place { root, offset, outer: None, inner: None, shape, steps, checked: Vec::new() }
    }

    /// The first plane of a place in a local variable, counted from the variable's first plane.
    pub(super) fn first_plane(&self) -> u32 {
        self.offset as u32
    }

    /// The sum of the run-time indices into parts with a fixed number of elements.
    pub(super) fn inner_index(&self) -> Option<Reg> {
        self.inner
    }
}
