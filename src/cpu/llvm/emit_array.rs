//! Private arrays of lanes: lane-interleaved, so that an element of all lanes is one row.

use super::emit::{Emitter, Mask, Val};
use super::emit_place::{Lanes, Place};
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::ir::Array;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

impl Emitter<'_> {
    fn array_place(&mut self, array: Array, var: Reg, index: Reg) -> Result<Place> {
        let row = u64::from(self.width) * 4;
        let mut place = Place {
            base: self.array_pointer(array),
            offset: u64::from(var - array.first) * row,
            terms: Vec::new(),
            checks: Vec::new(),
        };
        self.follow(index, row, &mut place)?;
        Ok(place)
    }

    fn array_pointer(&self, array: Array) -> String {
        self.arrays.get(&array.first).map(|(name, _)| name.clone()).unwrap_or_default()
    }

    fn array(&self, var: Reg) -> Result<Array> {
        self.kernel.array_of(var).ok_or_else(|| self.broken("an array without elements"))
    }

    /// An element at a constant index.
    pub(super) fn load_plane(&mut self, array: Array, element: u32) -> Val {
        let int = self.ty(Ty::Int, true);
        let offset = u64::from(element) * u64::from(self.width) * 4;
        let at = self.at(&self.array_pointer(array), offset);
        let align = self.row_align();
        Val::Vector(self.ins(&format!("load {int}, ptr {at}, align {align}")), Ty::Int)
    }

    pub(super) fn store_plane(&mut self, array: Array, element: u32, value: Reg) -> Result<()> {
        let int = self.ty(Ty::Int, true);
        let offset = u64::from(element) * u64::from(self.width) * 4;
        let at = self.at(&self.array_pointer(array), offset);
        self.blend(&at, value, &int, None)
    }

    /// Stores a vector under the mask, to memory that no other gang sees.
    fn blend(&mut self, at: &str, value: Reg, int: &str, inside: Option<String>) -> Result<()> {
        let mut new = self.vector(value, Ty::Int)?;
        let align = self.row_align();
        if let Mask::Some(mask) = self.mask.clone() {
            let lanes = self.ty(Ty::Bool, true);
            let old = self.ins(&format!("load {int}, ptr {at}, align {align}"));
            new = self.ins(&format!("select {lanes} {mask}, {int} {new}, {int} {old}"));
        }
        let done = self.label();
        if let Some(inside) = &inside {
            let go = self.label();
            self.branch_if(inside, &go, &done);
            self.begin(&go);
        }
        self.line(&format!("store {int} {new}, ptr {at}, align {align}"));
        if inside.is_some() {
            self.branch(&done);
            self.begin(&done);
        }
        Ok(())
    }

    /// The row of all lanes at a uniform index, or the first row if the index is out of bounds; and whether the
    /// index is in bounds, if that is not certain.
    fn row(&mut self, place: &Place) -> Result<(String, Option<String>)> {
        let inside = self.inside(place, &[], 0)?;
        let mut pointer = self.pointer(place, &[])?;
        pointer = self.at(&pointer, place.offset);
        if let Some(inside) = &inside {
            let base = &place.base;
            pointer = self.ins(&format!("select i1 {inside}, ptr {pointer}, ptr {base}"));
        }
        Ok((pointer, inside))
    }

    pub(super) fn local_load(&mut self, dst: Reg, var: Reg, index: Reg) -> Result<()> {
        let array = self.array(var)?;
        let place = self.array_place(array, var, index)?;
        let int = self.ty(Ty::Int, true);
        if self.lanes(&place) == Lanes::Uniform {
            let (pointer, inside) = self.row(&place)?;
            let align = self.row_align();
            let mut value = self.ins(&format!("load {int}, ptr {pointer}, align {align}"));
            if let Some(inside) = &inside {
                value =
                    self.ins(&format!("select i1 {inside}, {int} {value}, {int} zeroinitializer"));
            }
            self.define(dst, Val::Vector(value, Ty::Int));
            return Ok(());
        }
        let wanted = self.wanted(&place)?;
        let pointers = self.lane_pointers(&place, Some(&wanted))?;
        let (lanes, width) = (self.ty(Ty::Bool, true), self.width);
        let value = self.ins(&format!(
            "call {int} @llvm.masked.gather.v{width}i32.v{width}p0(<{width} x ptr> {pointers}, \
             i32 4, {lanes} {wanted}, {int} zeroinitializer)"
        ));
        self.define(dst, Val::Vector(value, Ty::Int));
        Ok(())
    }

    /// Pointers to each lane's word at the lane's own index.
    fn lane_pointers(&mut self, place: &Place, wanted: Option<&str>) -> Result<String> {
        let (int, width) = (self.ty(Ty::Int, true), self.width);
        let rows = self.pointers(place, place.offset, 4, wanted)?;
        let iota = self.iota(1);
        Ok(self.ins(&format!("getelementptr i32, <{width} x ptr> {rows}, {int} {iota}")))
    }

    pub(super) fn local_store(&mut self, var: Reg, index: Reg, src: Reg) -> Result<()> {
        let array = self.array(var)?;
        let place = self.array_place(array, var, index)?;
        let int = self.ty(Ty::Int, true);
        if self.lanes(&place) == Lanes::Uniform {
            let (pointer, inside) = self.row(&place)?;
            return self.blend(&pointer, src, &int, inside);
        }
        let wanted = self.wanted(&place)?;
        let value = self.vector(src, Ty::Int)?;
        let pointers = self.lane_pointers(&place, None)?;
        let (lanes, width) = (self.ty(Ty::Bool, true), self.width);
        self.line(&format!(
            "call void @llvm.masked.scatter.v{width}i32.v{width}p0({int} {value}, \
             <{width} x ptr> {pointers}, i32 4, {lanes} {wanted})"
        ));
        Ok(())
    }

    /// Sets a variable's elements to zero, in every lane.
    pub(super) fn clear(&mut self, var: Reg, count: u32) -> Result<()> {
        let array = self.array(var)?;
        let row = u64::from(self.width) * 4;
        let at = self.at(&self.array_pointer(array), u64::from(var - array.first) * row);
        let align = self.row_align();
        self.line(&format!(
            "call void @llvm.memset.p0.i64(ptr align {align} {at}, i8 0, i64 {}, i1 false)",
            u64::from(count) * row
        ));
        Ok(())
    }
}
