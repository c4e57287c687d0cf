//! The bindings of a launch, and the planes as a probe sees them.

use std::sync::atomic::AtomicU32;

use super::address::{Address, NONE, OUTSIDE};
use super::functions::{Reg, Row, WIDTH};
use crate::device::HostBytes;
use crate::kernel::BindingId;

/// A binding of the launch.
#[derive(Debug)]
pub(super) enum Bound<'a> {
    /// The words of a uniform or an immediate.
    Value(Vec<u32>),
    Storage {
        bytes: HostBytes<'a>,
        words: &'a [AtomicU32],
        elements: u64,
    },
}

/// The address of a lane that accesses nothing. Adding a part's offset does not wrap it.
pub(in crate::cpu) const ABSENT: u64 = 1 << 62;

/// The planes as a probe sees them.
pub(in crate::cpu) struct Planes<'s> {
    pub(super) file: &'s [Row],
    pub(super) rows: usize,
    pub(super) bounds: &'s [Bound<'s>],
}

impl Planes<'_> {
    /// Rows of each plane.
    pub(in crate::cpu) fn rows(&self) -> usize {
        self.rows
    }

    /// One row of a plane.
    #[inline(always)]
    pub(in crate::cpu) fn row(&self, reg: Reg, k: usize) -> [u32; WIDTH] {
        self.file[reg as usize * self.rows + k].0
    }

    /// The value of one lane.
    pub(in crate::cpu) fn lane(&self, reg: Reg, lane: usize) -> u32 {
        self.file[reg as usize * self.rows + lane / WIDTH].0[lane % WIDTH]
    }

    /// Elements of a storage binding.
    pub(in crate::cpu) fn elements(&self, binding: BindingId) -> u64 {
        match self.bounds.get(binding) {
            Some(Bound::Storage { elements, .. }) => *elements,
            _ => 0,
        }
    }

    /// The addresses of one row of lanes; [`ABSENT`] or more for a lane that accesses nothing.
    #[inline(always)]
    pub(in crate::cpu) fn locate(
        &self,
        address: &Address,
        mask: Reg,
        elements: u64,
        k: usize,
    ) -> [u64; WIDTH] {
        let Address { offset, stride, outer, inner, .. } = *address;
        // The upper half of an i32's range is negative.
        let bound = if address.signed { elements.min(1 << 31) } else { elements };
        let mask = self.row(mask, k);
        let mut out = [0; WIDTH];
        match (outer != NONE, inner != NONE) {
            (false, false) => {
                for i in 0..WIDTH {
                    out[i] = if mask[i] != 0 { offset } else { ABSENT };
                }
            }
            (true, false) => {
                let outer = self.row(outer, k);
                for i in 0..WIDTH {
                    let index = u64::from(outer[i]);
                    let inside = mask[i] != 0 && index < bound;
                    out[i] = if inside { offset + index * stride } else { ABSENT };
                }
            }
            (false, true) => {
                let inner = self.row(inner, k);
                for i in 0..WIDTH {
                    let inside = mask[i] != 0 && inner[i] != OUTSIDE;
                    out[i] = if inside { offset + u64::from(inner[i]) } else { ABSENT };
                }
            }
            (true, true) => {
                let (outer, inner) = (self.row(outer, k), self.row(inner, k));
                for i in 0..WIDTH {
                    let index = u64::from(outer[i]);
                    let inside = mask[i] != 0 && index < bound && inner[i] != OUTSIDE;
                    let at = offset + index * stride + u64::from(inner[i]);
                    out[i] = if inside { at } else { ABSENT };
                }
            }
        }
        out
    }
}
