//! Atomic read-modify-writes: one lane after the other, in the order of the lanes.
//!
//! If all lanes update one word and the old value is not used, the gang's values are combined first and one
//! atomic updates the word.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{AtomicRmwOp, InstBuilder, Value, types};

use super::emit::{Emitter, Mask, Part, Val};
use super::emit_place::{Place, Spread};
use crate::cpu::interpreter::bytecode::{Atomic, AtomicFunction, Memory, NONE};
use crate::cpu::interpreter::functions::Binary;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// The lanes' operands of an update.
#[derive(Debug, Clone, Copy)]
enum Operand {
    Uniform(Value),
    /// A row of words in the frame.
    Lanes(Value),
}

impl Emitter<'_, '_> {
    pub(super) fn atomic(&mut self, atomic: &Atomic) -> Result<()> {
        let place = self.place(&atomic.address)?;
        if let (NONE, Spread::Uniform) = (atomic.dst, self.spread(&place))
            && self.combined_atomic(atomic, &place)?
        {
            return Ok(());
        }
        let wanted = self.wanted(&place)?;
        let offsets = self.offsets(&place, 4)?;
        let offset_slot = self.spill("offsets", &offsets);
        let value = if self.is_uniform(atomic.value) {
            Operand::Uniform(self.scalar(atomic.value, Ty::Int)?)
        } else {
            let lanes = self.vector(atomic.value, Ty::Int)?;
            Operand::Lanes(self.spill("values", &lanes))
        };
        let mut compare = None;
        if atomic.compare != NONE {
            let lanes = self.vector(atomic.compare, Ty::Int)?;
            let slot = self.spill("compares", &lanes);
            compare = Some((lanes, slot));
        }
        let old_slot = (atomic.dst != NONE).then(|| {
            let zero = self.number(0, Ty::Int, true);
            self.spill("olds", &zero)
        });
        let compare_slot = compare.as_ref().map(|(_, slot)| *slot);
        let quick = compare.is_none();
        self.for_each_lane(wanted.as_ref(), quick, |this, lane| {
            let offset = this.spilled(offset_slot, lane);
            let pointer = this.lane_pointer(place.base, offset, 4);
            let (pointer, rest) = this.at(pointer, place.offset);
            let rest = this.long(rest as u64);
            let pointer = this.b.ins().iadd(pointer, rest);
            let value = match value {
                Operand::Uniform(value) => value,
                Operand::Lanes(slot) => this.spilled(slot, lane),
            };
            let compare = match compare_slot {
                Some(slot) => this.spilled(slot, lane),
                None => value,
            };
            let old = if atomic.address.memory == Memory::Workgroup {
                this.alone(atomic.function, pointer, value, compare)
            } else {
                this.together(atomic.function, place.part, pointer, value, compare)
            };
            if let Some(slot) = old_slot {
                let flags = this.flags(Part::Frame);
                let at = this.lane_pointer64(slot, lane, 4);
                this.b.ins().store(flags, old, at, 0);
            }
            Ok(())
        })?;
        if let Some(slot) = old_slot {
            let flags = self.flags(Part::Frame);
            let quads = self.quads() as i32;
            let old = (0..quads)
                .map(|quad| self.b.ins().load(types::I32X4, flags, slot, 16 * quad))
                .collect();
            if let (Some((compare, _)), true) = (&compare, atomic.exchanged != NONE) {
                // Lanes out of bounds read zero.
                let lanes = self.icmp(IntCC::Equal, &old, compare);
                self.define(atomic.exchanged, Val::Vector(lanes, Ty::Bool));
            }
            self.define(atomic.dst, Val::Vector(old, Ty::Int));
        }
        Ok(())
    }

    /// One atomic for all lanes, where the function allows it.
    fn combined_atomic(&mut self, atomic: &Atomic, place: &Place) -> Result<bool> {
        use AtomicFunction as A;
        let (combine, idle) = match atomic.function {
            A::Add | A::Subtract => (Binary::AddI, 0),
            A::And => (Binary::And, u32::MAX),
            A::Or => (Binary::Or, 0),
            A::Xor => (Binary::Xor, 0),
            A::MinI => (Binary::MinI, i32::MAX as u32),
            A::MaxI => (Binary::MaxI, i32::MIN as u32),
            A::MinU => (Binary::MinU, u32::MAX),
            A::MaxU => (Binary::MaxU, 0),
            A::Exchange | A::CompareExchange => return Ok(false),
        };
        let value = self.active(atomic.value, idle)?;
        let value = self.reduced(combine, &value)?;
        let mut wanted = self.inside(place, None, 0)?;
        if let Mask::Some(mask) = self.mask.clone() {
            let any = self.any(&mask);
            wanted = Some(self.both(wanted, any));
        }
        let pointer = self.pointer(place, None)?;
        let offset = self.long(place.offset);
        let pointer = self.b.ins().iadd(pointer, offset);
        let done = self.block();
        if let Some(wanted) = wanted {
            let go = self.block();
            self.branch_if(wanted, go, done);
            self.begin(go);
        }
        if atomic.address.memory == Memory::Workgroup {
            self.alone(atomic.function, pointer, value, value);
        } else {
            self.together(atomic.function, place.part, pointer, value, value);
        }
        self.branch(done);
        self.begin(done);
        Ok(true)
    }

    /// On workgroup memory, which no other thread accesses.
    fn alone(&mut self, f: AtomicFunction, at: Value, value: Value, compare: Value) -> Value {
        use AtomicFunction as A;
        let flags = self.flags(Part::Workgroup);
        let old = self.b.ins().load(types::I32, flags, at, 0);
        let ins = self.b.ins();
        let new = match f {
            A::Add => ins.iadd(old, value),
            A::Subtract => ins.isub(old, value),
            A::And => ins.band(old, value),
            A::Or => ins.bor(old, value),
            A::Xor => ins.bxor(old, value),
            A::MinI => ins.smin(old, value),
            A::MaxI => ins.smax(old, value),
            A::MinU => ins.umin(old, value),
            A::MaxU => ins.umax(old, value),
            A::Exchange => value,
            A::CompareExchange => {
                let same = self.b.ins().icmp(IntCC::Equal, old, compare);
                self.b.ins().select(same, value, old)
            }
        };
        self.b.ins().store(flags, new, at, 0);
        old
    }

    /// On storage, which other threads may update at the same time.
    fn together(
        &mut self,
        f: AtomicFunction,
        part: Part,
        at: Value,
        value: Value,
        compare: Value,
    ) -> Value {
        use AtomicFunction as A;
        let flags = self.flags(part).with_aligned();
        let op = match f {
            A::Add => AtomicRmwOp::Add,
            A::Subtract => AtomicRmwOp::Sub,
            A::And => AtomicRmwOp::And,
            A::Or => AtomicRmwOp::Or,
            A::Xor => AtomicRmwOp::Xor,
            A::MinI => AtomicRmwOp::Smin,
            A::MaxI => AtomicRmwOp::Smax,
            A::MinU => AtomicRmwOp::Umin,
            A::MaxU => AtomicRmwOp::Umax,
            A::Exchange => AtomicRmwOp::Xchg,
            A::CompareExchange => return self.b.ins().atomic_cas(flags, at, compare, value),
        };
        self.b.ins().atomic_rmw(types::I32, flags, op, at, value)
    }
}
