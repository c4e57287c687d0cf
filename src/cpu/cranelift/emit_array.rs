//! Private arrays of lanes: lane-interleaved, so that an element of all lanes is one row.

use cranelift_codegen::ir::{InstBuilder, Value};

use super::emit::{Emitter, Mask, Part, Val};
use super::emit_place::{Place, Spread};
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::ir::Array;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

impl Emitter<'_, '_> {
    fn array_place(&mut self, array: Array, var: Reg, index: Reg) -> Result<Place> {
        let row = u64::from(self.width) * 4;
        let mut place = Place {
            base: self.array_pointer(array)?,
            part: Part::Private,
            constant: false,
            offset: u64::from(var - array.first) * row,
            terms: Vec::new(),
            checks: Vec::new(),
        };
        self.follow(index, row, &mut place)?;
        Ok(place)
    }

    fn array_pointer(&self, array: Array) -> Result<Value> {
        let known = self.arrays.get(&array.first).map(|&(_, _, start)| start);
        known.ok_or_else(|| self.broken("an array without memory"))
    }

    fn array(&self, var: Reg) -> Result<Array> {
        self.kernel.array_of(var).ok_or_else(|| self.broken("an array without elements"))
    }

    /// An element at a constant index.
    pub(super) fn load_plane(&mut self, array: Array, element: u32) -> Result<Val> {
        let at = self.array_pointer(array)?;
        let flags = self.flags(Part::Private);
        let offset = u64::from(element) * u64::from(self.width) * 4;
        Ok(Val::Vector(self.load_row(false, flags, at, offset), Ty::Int))
    }

    pub(super) fn store_plane(&mut self, array: Array, element: u32, value: Reg) -> Result<()> {
        let at = self.array_pointer(array)?;
        let offset = u64::from(element) * u64::from(self.width) * 4;
        self.blend(at, offset, value)
    }

    /// Stores a vector under the mask, to memory that no other gang sees.
    fn blend(&mut self, at: Value, offset: u64, value: Reg) -> Result<()> {
        let flags = self.flags(Part::Private);
        let mut new = self.vector(value, Ty::Int)?;
        if let Mask::Some(mask) = self.mask.clone() {
            let old = self.load_row(false, flags, at, offset);
            new = self.select(&mask, &new, &old, true);
        }
        self.store_row(false, flags, &new, at, offset);
        Ok(())
    }

    pub(super) fn local_load(&mut self, dst: Reg, var: Reg, index: Reg) -> Result<()> {
        let array = self.array(var)?;
        let place = self.array_place(array, var, index)?;
        let flags = self.flags(Part::Private);
        if self.spread(&place) == Spread::Uniform {
            let inside = self.inside(&place, None, 0)?;
            let mut pointer = self.pointer(&place, None)?;
            if let Some(inside) = inside {
                pointer = self.b.ins().select(inside, pointer, place.base);
            }
            let mut value = self.load_row(false, flags, pointer, place.offset);
            if let Some(inside) = inside {
                let wanted = self.splat(inside, Ty::Bool);
                value = self.and(&value, &wanted);
            }
            self.define(dst, Val::Vector(value, Ty::Int));
            return Ok(());
        }
        // Each lane's word at the lane's own index.
        let wanted = self.wanted(&place)?;
        let rows = self.offsets(&place, 4)?;
        let iota = self.iota(1);
        let mut offsets = self.zip(&rows, &iota, |b, x, y| b.ins().iadd(x, y));
        if let Some(wanted) = &wanted {
            offsets = self.and(&offsets, wanted);
        }
        let mut value = self.pick_lanes(place.base, place.offset, place.part, &offsets);
        if let Some(wanted) = &wanted {
            value = self.and(&value, wanted);
        }
        self.define(dst, Val::Vector(value, Ty::Int));
        Ok(())
    }

    pub(super) fn local_store(&mut self, var: Reg, index: Reg, src: Reg) -> Result<()> {
        let array = self.array(var)?;
        let place = self.array_place(array, var, index)?;
        let flags = self.flags(Part::Private);
        if self.spread(&place) == Spread::Uniform {
            let inside = self.inside(&place, None, 0)?;
            let pointer = self.pointer(&place, None)?;
            let done = self.block();
            if let Some(inside) = inside {
                let go = self.block();
                self.branch_if(inside, go, done);
                self.begin(go);
            }
            self.enter();
            self.blend(pointer, place.offset, src)?;
            self.leave();
            self.branch(done);
            self.begin(done);
            return Ok(());
        }
        let wanted = self.wanted(&place)?;
        let rows = self.offsets(&place, 4)?;
        let iota = self.iota(1);
        let offsets = self.zip(&rows, &iota, |b, x, y| b.ins().iadd(x, y));
        let offsets = self.spill("offsets", &offsets);
        let value = self.vector(src, Ty::Int)?;
        let values = self.spill("values", &value);
        self.for_each_lane(wanted.as_ref(), true, |this, lane| {
            let offset = this.spilled(offsets, lane);
            let word = this.spilled(values, lane);
            let pointer = this.lane_pointer(place.base, offset, 4);
            this.store_word(false, flags, word, pointer, place.offset);
            Ok(())
        })
    }

    /// Sets a variable's elements to zero, in every lane.
    pub(super) fn clear(&mut self, var: Reg, count: u32) -> Result<()> {
        let array = self.array(var)?;
        let row = u64::from(self.width) * 4;
        let start = self.array_pointer(array)?;
        let offset = self.long(u64::from(var - array.first) * row);
        let at = self.b.ins().iadd(start, offset);
        self.zero(at, u64::from(count) * row, Part::Private);
        Ok(())
    }
}
