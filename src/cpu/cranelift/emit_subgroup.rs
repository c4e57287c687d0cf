//! Subgroup operations: a gang is a subgroup, so they stay within its vectors.
//!
//! Lanes that are masked off take no part, and are read as zero. Floats are combined one after the other in the
//! order of the lanes, as in the interpreter: the result's bits depend on the order.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, Value, types};

use super::emit::{Emitter, Lanes, Part, QUAD, Val};
use crate::cpu::interpreter::bytecode::{Collective, Gather, NONE, SubgroupFold};
use crate::cpu::interpreter::functions::{Binary, Reg};
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

impl Emitter<'_, '_> {
    pub(super) fn ballot(&mut self, dst: [Reg; 4], predicate: Reg) -> Result<()> {
        let predicate = self.vector(predicate, Ty::Bool)?;
        let mask = self.mask_vector();
        let votes = self.and(&mask, &predicate);
        let votes = self.bits(&votes);
        for (word, reg) in dst.into_iter().enumerate() {
            if reg == NONE {
                continue;
            }
            let value = if word < 2 {
                let high = self.b.ins().ushr_imm_u(votes, 32 * word as i64);
                self.b.ins().ireduce(types::I32, high)
            } else {
                self.int(0)
            };
            self.define(reg, Val::Scalar(value, Ty::Int));
        }
        Ok(())
    }

    /// The value in the active lanes, `idle` in the others.
    pub(super) fn active(&mut self, src: Reg, idle: u32) -> Result<Lanes> {
        let value = self.vector(src, Ty::Int)?;
        if self.mask.is_full() {
            return Ok(value);
        }
        let idle = self.number(idle, Ty::Int, true);
        let mask = self.mask_vector();
        Ok(self.select(&mask, &value, &idle, true))
    }

    pub(super) fn subgroup_gather(
        &mut self,
        mode: Gather,
        dst: Reg,
        src: Reg,
        index: Reg,
    ) -> Result<()> {
        let last = self.width - 1;
        let value = self.active(src, 0)?;
        let slot = self.spill("subgroup", &value);
        if self.is_uniform(dst) {
            let from = if mode == Gather::First {
                let mask = self.mask_vector();
                let bits = self.bits(&mask);
                let first = self.b.ins().ctz(bits);
                self.b.ins().ireduce(types::I32, first)
            } else {
                self.scalar(index, Ty::Int)?
            };
            let last = self.int(last);
            let inside = self.b.ins().icmp(IntCC::UnsignedLessThanOrEqual, from, last);
            let lane = self.b.ins().band(from, last);
            let lane = self.b.ins().uextend(types::I64, lane);
            let taken = self.spilled(slot, lane);
            let zero = self.int(0);
            let taken = self.b.ins().select(inside, taken, zero);
            self.define(dst, Val::Scalar(taken, Ty::Int));
            return Ok(());
        }
        let own = self.iota(1);
        let index = if index == NONE { own.clone() } else { self.vector(index, Ty::Int)? };
        let last = self.number(last, Ty::Int, true);
        let below = IntCC::UnsignedLessThanOrEqual;
        let (from, inside) = match mode {
            Gather::First | Gather::Lane => {
                let inside = self.icmp(below, &index, &last);
                (index, inside)
            }
            Gather::Down => {
                let most = self.zip(&last, &own, |b, x, y| b.ins().isub(x, y));
                let inside = self.icmp(below, &index, &most);
                (self.zip(&own, &index, |b, x, y| b.ins().iadd(x, y)), inside)
            }
            Gather::Up => {
                let inside = self.icmp(below, &index, &own);
                (self.zip(&own, &index, |b, x, y| b.ins().isub(x, y)), inside)
            }
            Gather::Xor => {
                let from = self.zip(&own, &index, |b, x, y| b.ins().bxor(x, y));
                let inside = self.icmp(below, &from, &last);
                (from, inside)
            }
            Gather::QuadLane => {
                let (three, quad) = (self.number(3, Ty::Int, true), self.number(!3, Ty::Int, true));
                let inside = self.icmp(below, &index, &three);
                let first = self.and(&own, &quad);
                (self.zip(&first, &index, |b, x, y| b.ins().iadd(x, y)), inside)
            }
            Gather::QuadSwap(bits) => {
                let bits = self.number(bits, Ty::Int, true);
                let from = self.zip(&own, &bits, |b, x, y| b.ins().bxor(x, y));
                let inside = self.icmp(below, &from, &last);
                (from, inside)
            }
        };
        let from = self.and(&from, &inside);
        let taken = self.pick_lanes(slot, 0, Part::Frame, &from);
        let taken = self.and(&taken, &inside);
        self.define(dst, Val::Vector(taken, Ty::Int));
        Ok(())
    }

    /// The words that lie so many words from the base.
    pub(super) fn pick_lanes(
        &mut self,
        base: Value,
        start: u64,
        part: Part,
        offsets: &Lanes,
    ) -> Lanes {
        let flags = self.flags(part);
        let quads = offsets.iter().map(|&offsets| {
            let words = self.words_apart(offsets).map(|offset| {
                let bytes = self.b.ins().ishl_imm_u(offset, 2);
                let pointer = self.b.ins().iadd(base, bytes);
                let (at, rest) = self.at(pointer, start);
                self.b.ins().uload32(flags, at, rest)
            });
            self.words_together(words)
        });
        quads.collect()
    }

    /// One word that combines those of all lanes, in any order.
    pub(super) fn reduced(&mut self, combine: Binary, value: &Lanes) -> Result<Value> {
        let mut quad = Self::single(value[0]);
        for &other in &value[1..] {
            quad = self.combined(combine, &quad, &Self::single(other), true)?;
        }
        let mut sum: Option<Lanes> = None;
        for lane in 0..QUAD as u8 {
            let one = Self::single(self.b.ins().extractlane(quad[0], lane));
            sum = Some(match sum {
                None => one,
                Some(sum) => self.combined(combine, &sum, &one, false)?,
            });
        }
        sum.map(|sum| sum[0]).ok_or_else(|| self.broken("a gang without lanes"))
    }

    pub(super) fn subgroup_fold(&mut self, fold: &SubgroupFold) -> Result<()> {
        use Binary as B;
        let float = matches!(fold.combine, B::AddF | B::MulF | B::MinF | B::MaxF);
        let ty = if float { Ty::Float } else { Ty::Int };
        let reduce = fold.collective == Collective::Reduce;
        if reduce && !float {
            let value = self.active(fold.src, fold.identity)?;
            let sum = self.reduced(fold.combine, &value)?;
            self.define(fold.dst, Val::Scalar(sum, Ty::Int));
            return Ok(());
        }
        // In order, starting from the identity.
        let value = self.vector(fold.src, ty)?;
        let mask = self.mask_vector();
        let full = self.mask.is_full();
        let mut sum = self.number(fold.identity, ty, false);
        let mut out = self.number(0, ty, true).to_vec();
        for lane in 0..self.width {
            let (quad, k) = ((lane / QUAD) as usize, (lane % QUAD) as u8);
            if fold.collective == Collective::Exclusive {
                out[quad] = self.b.ins().insertlane(out[quad], sum[0], k);
            }
            let next = Self::single(self.b.ins().extractlane(value[quad], k));
            let mut more = self.combined(fold.combine, &sum, &next, false)?;
            if fold.half {
                let half = self.half_narrowed(&more, false);
                more = self.half_widened(&half, false);
            }
            if full {
                sum = more;
            } else {
                let there = Self::single(self.b.ins().extractlane(mask[quad], k));
                sum = self.select(&there, &more, &sum, false);
            }
            if fold.collective == Collective::Inclusive {
                out[quad] = self.b.ins().insertlane(out[quad], sum[0], k);
            }
        }
        let val = if reduce { Val::Scalar(sum[0], ty) } else { Val::Vector(out.into(), ty) };
        self.define(fold.dst, val);
        Ok(())
    }

    /// Two values combined.
    fn combined(&mut self, f: Binary, x: &Lanes, y: &Lanes, v: bool) -> Result<Lanes> {
        use Binary as B;
        Ok(match f {
            B::AddF => self.zip(x, y, |b, x, y| b.ins().fadd(x, y)),
            B::MulF => self.zip(x, y, |b, x, y| b.ins().fmul(x, y)),
            B::AddI => self.zip(x, y, |b, x, y| b.ins().iadd(x, y)),
            B::MulI => self.zip(x, y, |b, x, y| b.ins().imul(x, y)),
            B::And => self.zip(x, y, |b, x, y| b.ins().band(x, y)),
            B::Or => self.zip(x, y, |b, x, y| b.ins().bor(x, y)),
            B::Xor => self.zip(x, y, |b, x, y| b.ins().bxor(x, y)),
            B::MinF | B::MaxF => self.extreme(f, x, y, v),
            B::MinI | B::MaxI | B::MinU | B::MaxU => self.extremum(f, x, y, v),
            _ => return Err(self.broken("a subgroup combines by this")),
        })
    }
}
