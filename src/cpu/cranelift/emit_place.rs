//! Places: the location of an access, the relation of its lanes, and bounds checks.
//!
//! What always holds: offsets in words fit 32 bits, since the launch refuses larger buffers. The first element
//! of a place always exists, so a lane that is out of bounds or masked off may read it and drop the value. Only
//! words that an active lane stores are written.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::emit::{Emitter, Lanes, Mask, Part};
use crate::cpu::interpreter::bytecode::{Access, Address, Memory, NONE, Op};
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::shape::Class;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// Addends of an index below this become part of the address.
const FAR: u32 = 1 << 16;

/// The upper bound (exclusive) of an index.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    Constant(u32),
    Value(Value),
}

/// An address, split into its terms.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) base: Value,
    pub(super) part: Part,
    /// Whether the memory is constant while the function runs.
    pub(super) constant: bool,
    /// Bytes from the base.
    pub(super) offset: u64,
    /// Indices, each with its stride in bytes.
    pub(super) terms: Vec<(Reg, u64)>,
    pub(super) checks: Vec<(Reg, Bound)>,
}

/// The relation of the addresses of a gang's lanes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Spread {
    Uniform,
    /// The bytes from lane to lane.
    Strided(i64),
    /// Perhaps consecutive elements of this many bytes, by one index.
    Likely(i64),
    Any,
}

/// The index register and its first lane's value, if the register does not have the value itself.
pub(super) type First = Option<(Reg, Value)>;

impl Emitter<'_, '_> {
    /// Follows the `Index` operations of an inner index.
    pub(super) fn follow(&mut self, mut at: Reg, unit: u64, place: &mut Place) -> Result<()> {
        while at != NONE {
            if let Some(known) = self.kernel.known(at) {
                place.offset += u64::from(known) * unit;
                break;
            }
            let Some(Op::Index { base, index, bound, stride, .. }) = self.indices.get(&at).cloned()
            else {
                return Err(self.broken("an inner index that is no index"));
            };
            place.terms.push((index, u64::from(stride) * unit));
            if !self.kernel.inside.contains(&at) {
                place.checks.push((index, Bound::Constant(bound)));
            }
            at = base;
        }
        Ok(())
    }

    pub(super) fn place(&mut self, address: &Address) -> Result<Place> {
        let base = match address.memory {
            Memory::Storage(binding) | Memory::Value(binding) => self.args.bindings[binding].0,
            Memory::Workgroup => self.args.scratch,
        };
        let mut place = Place {
            base,
            part: Self::part_of(address.memory),
            constant: matches!(address.memory, Memory::Value(_)),
            offset: address.offset,
            terms: Vec::new(),
            checks: Vec::new(),
        };
        if address.outer != NONE {
            let Memory::Storage(binding) = address.memory else {
                return Err(self.broken("a runtime-sized array outside of storage"));
            };
            let (_, length, signed) = self.args.bindings[binding];
            place.terms.push((address.outer, address.stride));
            let bound = if address.signed { signed } else { length };
            if !self.kernel.inside.contains(&address.outer) {
                place.checks.push((address.outer, Bound::Value(bound)));
            }
        }
        self.follow(address.inner, 1, &mut place)?;
        Ok(place)
    }

    pub(super) fn spread(&self, place: &Place) -> Spread {
        let (mut stride, mut likely, mut strided) = (0i64, None, false);
        for &(reg, bytes) in &place.terms {
            match self.class(reg) {
                class if class <= Class::Gang => {}
                Class::Strided(k) => {
                    // Indices wrap at 32 bits, addresses do not.
                    if k < 0 || i64::from(k) * i64::from(self.width - 1) > i64::from(i32::MAX) {
                        return Spread::Any;
                    }
                    strided = true;
                    stride += i64::from(k) * bytes as i64;
                }
                Class::Likely if likely.is_none() => likely = Some(bytes as i64),
                _ => return Spread::Any,
            }
        }
        match (strided, likely) {
            (false, None) => Spread::Uniform,
            (true, None) => Spread::Strided(stride),
            (false, Some(bytes)) => Spread::Likely(bytes),
            (true, Some(_)) => Spread::Any,
        }
    }

    /// Whether each part is adjacent to that of the next lane.
    pub(super) fn contiguous(&self, access: &Access, bytes: i64) -> bool {
        access.parts.iter().all(|part| bytes == if part.half { 2 } else { 4 })
    }

    fn limit(&mut self, bound: Bound) -> Value {
        match bound {
            Bound::Constant(bits) => self.int(bits),
            Bound::Value(value) => value,
        }
    }

    /// Whether all lanes are in bounds, and `more` elements after the last; `None` if that is certain.
    pub(super) fn inside(
        &mut self,
        place: &Place,
        first: First,
        more: u64,
    ) -> Result<Option<Value>> {
        let mut inside: Option<Value> = None;
        for &(reg, bound) in &place.checks {
            let step = match self.class(reg) {
                Class::Strided(k) => Some(i64::from(k)),
                Class::Likely => Some(1),
                _ => None,
            };
            let check = match step {
                None => {
                    if let (Some(known), Bound::Constant(limit)) = (self.kernel.known(reg), bound)
                        && known < limit
                    {
                        continue;
                    }
                    let index = self.scalar(reg, Ty::Int)?;
                    let limit = self.limit(bound);
                    self.b.ins().icmp(IntCC::UnsignedLessThan, index, limit)
                }
                Some(step) => {
                    let index = self.first_index(reg, first)?;
                    let index = self.b.ins().uextend(types::I64, index);
                    let last = step as u64 * u64::from(self.width - 1) + more;
                    let last = self.long(last);
                    let last = self.b.ins().iadd(index, last);
                    let limit = self.limit(bound);
                    let limit = self.b.ins().uextend(types::I64, limit);
                    self.b.ins().icmp(IntCC::UnsignedLessThan, last, limit)
                }
            };
            inside = Some(self.both(inside, check));
        }
        Ok(inside)
    }

    fn first_index(&mut self, reg: Reg, first: First) -> Result<Value> {
        match first {
            Some((known, value)) if known == reg => Ok(value),
            _ => self.scalar(reg, Ty::Int),
        }
    }

    /// Whether the checks alone show that every lane's place is in bounds, active or not.
    pub(super) fn checked(&self, place: &Place) -> bool {
        place.terms.iter().all(|(reg, _)| {
            self.is_uniform(*reg) || place.checks.iter().any(|(checked, _)| checked == reg)
        })
    }

    /// The mask of the lanes in bounds; `None` if all are.
    pub(super) fn inner(&mut self, place: &Place) -> Result<Option<Lanes>> {
        let mut mask: Option<Lanes> = None;
        for &(reg, bound) in &place.checks {
            if let (Some(known), Bound::Constant(limit)) = (self.kernel.known(reg), bound)
                && known < limit
            {
                continue;
            }
            let index = self.vector(reg, Ty::Int)?;
            let limit = match bound {
                Bound::Constant(bits) => self.number(bits, Ty::Int, true),
                Bound::Value(value) => self.splat(value, Ty::Int),
            };
            let check = self.icmp(IntCC::UnsignedLessThan, &index, &limit);
            mask = Some(match mask {
                None => check,
                Some(other) => self.and(&other, &check),
            });
        }
        Ok(mask)
    }

    /// The mask of the active lanes that are in bounds; `None` if all are.
    pub(super) fn wanted(&mut self, place: &Place) -> Result<Option<Lanes>> {
        let inner = self.inner(place)?;
        Ok(match (self.mask.clone(), inner) {
            (Mask::Full, inner) => inner,
            (Mask::Some(mask), None) => Some(mask),
            (Mask::Some(mask), Some(inner)) => Some(self.and(&mask, &inner)),
        })
    }

    /// The pointer of the first lane, or of all lanes if the place is uniform, without the place's offset.
    pub(super) fn pointer(&mut self, place: &Place, first: First) -> Result<Value> {
        let (mut pointer, mut beyond) = (place.base, 0);
        for &(reg, bytes) in &place.terms {
            let (reg, more) = self.addend(reg, first);
            beyond += u64::from(more) * bytes;
            let index = self.first_index(reg, first)?;
            // A strided index may start below zero if its first lanes are masked off.
            let index = self.b.ins().sextend(types::I64, index);
            let term = if bytes.is_power_of_two() {
                self.b.ins().ishl_imm_u(index, i64::from(bytes.trailing_zeros()))
            } else {
                let bytes = self.long(bytes);
                self.b.ins().imul(index, bytes)
            };
            pointer = self.b.ins().iadd(pointer, term);
        }
        if beyond > 0 {
            let beyond = self.long(beyond);
            pointer = self.b.ins().iadd(pointer, beyond);
        }
        Ok(pointer)
    }

    /// Splits an index into a register and an addend, so that neighbouring accesses share an address.
    ///
    /// The index of an accessed place is below 2^31, and no lane's index is farther from the first lane's than
    /// the stride times the gang's width. So the index without the addend is not below the least i32, and the
    /// sum of both in 64 bits equals that in 32.
    fn addend(&self, mut reg: Reg, first: First) -> (Reg, u32) {
        let mut more = 0;
        let near = |class| match class {
            Class::Strided(step) => (0..FAR as i32).contains(&step),
            class => class <= Class::Gang,
        };
        while first.is_none_or(|(known, _)| known != reg)
            && near(self.class(reg))
            && let Some(&(rest, by)) = self.sums.get(&reg)
            && more + by.min(FAR) < FAR
        {
            (reg, more) = (rest, more + by);
        }
        (reg, more)
    }

    /// A pointer, and an offset from it that an instruction can take.
    pub(super) fn at(&mut self, pointer: Value, offset: u64) -> (Value, i32) {
        match i32::try_from(offset) {
            Ok(offset) if offset < i32::MAX / 2 => (pointer, offset),
            _ => {
                let offset = self.long(offset);
                (self.b.ins().iadd(pointer, offset), 0)
            }
        }
    }

    /// The offset of each lane's place from the base, in units of `unit` bytes.
    pub(super) fn offsets(&mut self, place: &Place, unit: u64) -> Result<Lanes> {
        let mut sum: Option<Lanes> = None;
        for &(reg, bytes) in &place.terms {
            let mut index = self.vector(reg, Ty::Int)?;
            let step = u32::try_from(bytes / unit)
                .map_err(|_| self.unsupported("an element of more than 4 GiB"))?;
            if step.is_power_of_two() && step > 1 {
                index = self
                    .map(&index, |b, x| b.ins().ishl_imm_u(x, i64::from(step.trailing_zeros())));
            } else if step != 1 {
                let by = self.number(step, Ty::Int, true);
                index = self.zip(&index, &by, |b, x, y| b.ins().imul(x, y));
            }
            sum = Some(match sum {
                None => index,
                Some(other) => self.zip(&other, &index, |b, x, y| b.ins().iadd(x, y)),
            });
        }
        Ok(match sum {
            Some(sum) => sum,
            None => self.number(0, Ty::Int, true),
        })
    }

    /// The pointer of one lane.
    pub(super) fn lane_pointer(&mut self, base: Value, offset: Value, unit: u64) -> Value {
        let offset = self.b.ins().uextend(types::I64, offset);
        let bytes = self.b.ins().ishl_imm_u(offset, i64::from(unit.trailing_zeros()));
        self.b.ins().iadd(base, bytes)
    }

    /// For an index that may be strided: its first lane, and whether the other lanes follow it.
    pub(super) fn likely(&mut self, place: &Place) -> Result<(First, Value)> {
        let likely = place.terms.iter().find(|(reg, _)| self.class(*reg) == Class::Likely);
        let Some(&(reg, _)) = likely else { return Err(self.broken("no likely index")) };
        let index = self.vector(reg, Ty::Int)?;
        let first = self.b.ins().extractlane(index[0], 0);
        let all = self.splat(first, Ty::Int);
        let iota = self.iota(1);
        let row = self.zip(&all, &iota, |b, x, y| b.ins().iadd(x, y));
        let same = self.icmp(IntCC::Equal, &index, &row);
        let every = self.all(&same);
        Ok((Some((reg, first)), every))
    }
}
