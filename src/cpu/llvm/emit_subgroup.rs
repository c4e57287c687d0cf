//! Subgroup operations: a gang is a subgroup, so they stay within a vector.
//!
//! Lanes that are masked off take no part, and are read as zero. Floats are combined one after the other in the
//! order of the lanes, as in the interpreter: the result's bits depend on the order.

use super::emit::{Emitter, Val};
use crate::cpu::interpreter::bytecode::{Collective, Gather, NONE, SubgroupFold};
use crate::cpu::interpreter::functions::{Binary, Reg};
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

impl Emitter<'_> {
    pub(super) fn ballot(&mut self, dst: [Reg; 4], predicate: Reg) -> Result<()> {
        let predicate = self.vector(predicate, Ty::Bool)?;
        let mask = self.mask_vector();
        let votes = self.and(&mask, &predicate);
        let votes = self.bits(&votes);
        for (word, reg) in dst.into_iter().enumerate() {
            if reg == NONE {
                continue;
            }
            let shift = 32 * word as u32;
            let name = if shift >= self.width {
                "0".to_owned()
            } else if self.width < 32 {
                self.ins(&format!("zext i{} {votes} to i32", self.width))
            } else if self.width == 32 {
                votes.clone()
            } else {
                let high = self.ins(&format!("lshr i{} {votes}, {shift}", self.width));
                self.ins(&format!("trunc i{} {high} to i32", self.width))
            };
            self.define(reg, Val::Scalar(name, Ty::Int));
        }
        Ok(())
    }

    /// The value in the active lanes, `idle` in the others.
    fn active(&mut self, src: Reg, ty: Ty, idle: u32) -> Result<String> {
        let value = self.vector(src, ty)?;
        let idle = self.constant(idle, ty);
        let mask = self.mask_vector();
        let (lanes, all) = (self.ty(Ty::Bool, true), self.ty(ty, true));
        Ok(self.ins(&format!("select {lanes} {mask}, {all} {value}, {all} {idle}")))
    }

    pub(super) fn subgroup_gather(
        &mut self,
        mode: Gather,
        dst: Reg,
        src: Reg,
        index: Reg,
    ) -> Result<()> {
        let int = self.ty(Ty::Int, true);
        let last = self.width - 1;
        let value = self.active(src, Ty::Int, 0)?;
        if self.is_uniform(dst) {
            let from = if mode == Gather::First {
                let mask = self.mask_vector();
                let bits = self.bits(&mask);
                let width = self.width;
                let first = self
                    .ins(&format!("call i{width} @llvm.cttz.i{width}(i{width} {bits}, i1 false)"));
                self.resized(&first, width, 32)
            } else {
                self.scalar(index, Ty::Int)?
            };
            let inside = self.ins(&format!("icmp ule i32 {from}, {last}"));
            let lane = self.ins(&format!("and i32 {from}, {last}"));
            let taken = self.ins(&format!("extractelement {int} {value}, i32 {lane}"));
            let taken = self.ins(&format!("select i1 {inside}, i32 {taken}, i32 0"));
            self.define(dst, Val::Scalar(taken, Ty::Int));
            return Ok(());
        }
        let own = self.iota(1);
        let index = if index == NONE { own.clone() } else { self.vector(index, Ty::Int)? };
        let last = self.constant(last, Ty::Int);
        let (from, inside) = match mode {
            Gather::First | Gather::Lane => {
                let inside = self.ins(&format!("icmp ule {int} {index}, {last}"));
                (index, inside)
            }
            Gather::Down => {
                let most = self.ins(&format!("sub {int} {last}, {own}"));
                let inside = self.ins(&format!("icmp ule {int} {index}, {most}"));
                (self.ins(&format!("add {int} {own}, {index}")), inside)
            }
            Gather::Up => {
                let inside = self.ins(&format!("icmp ule {int} {index}, {own}"));
                (self.ins(&format!("sub {int} {own}, {index}")), inside)
            }
            Gather::Xor => {
                let from = self.ins(&format!("xor {int} {own}, {index}"));
                let inside = self.ins(&format!("icmp ule {int} {from}, {last}"));
                (from, inside)
            }
            Gather::QuadLane => {
                let three = self.constant(3, Ty::Int);
                let inside = self.ins(&format!("icmp ule {int} {index}, {three}"));
                let quad = self.constant(!3, Ty::Int);
                let first = self.ins(&format!("and {int} {own}, {quad}"));
                (self.ins(&format!("add {int} {first}, {index}")), inside)
            }
            Gather::QuadSwap(bits) => {
                let bits = self.constant(bits, Ty::Int);
                let from = self.ins(&format!("xor {int} {own}, {bits}"));
                let inside = self.ins(&format!("icmp ule {int} {from}, {last}"));
                (from, inside)
            }
        };
        // Through memory: not every machine has a shuffle with a vector of lane numbers.
        let slot = self.shared_slot("%subgroup.values", &int);
        self.line(&format!("store {int} {value}, ptr {slot}"));
        // As in `pointers`: no index may be undefined.
        let first = self.constant(0, Ty::Int);
        let from = self.select(&inside, &from, &first, Ty::Int, true);
        let pointers = self.ins(&format!("getelementptr i32, ptr {slot}, {int} {from}"));
        let (lanes, width) = (self.ty(Ty::Bool, true), self.width);
        let taken = self.ins(&format!(
            "call {int} @llvm.masked.gather.v{width}i32.v{width}p0(<{width} x ptr> {pointers}, \
             i32 4, {lanes} {inside}, {int} zeroinitializer)"
        ));
        self.define(dst, Val::Vector(taken, Ty::Int));
        Ok(())
    }

    pub(super) fn subgroup_fold(&mut self, fold: &SubgroupFold) -> Result<()> {
        use Binary as B;
        let float = matches!(fold.combine, B::AddF | B::MulF | B::MinF | B::MaxF);
        let ty = if float { Ty::Float } else { Ty::Int };
        let (all, suffix) = (self.ty(ty, true), self.suffix(ty, true));
        let reduce = fold.collective == Collective::Reduce;
        let name = match fold.combine {
            B::AddI => Some("add"),
            B::MulI => Some("mul"),
            B::And => Some("and"),
            B::Or => Some("or"),
            B::Xor => Some("xor"),
            B::MinI => Some("smin"),
            B::MaxI => Some("smax"),
            B::MinU => Some("umin"),
            B::MaxU => Some("umax"),
            _ => None,
        };
        if let (true, Some(name)) = (reduce, name) {
            let value = self.active(fold.src, ty, fold.identity)?;
            let sum =
                self.ins(&format!("call i32 @llvm.vector.reduce.{name}.{suffix}({all} {value})"));
            self.define(fold.dst, Val::Scalar(sum, Ty::Int));
            return Ok(());
        }
        // In order, starting from the identity. The value added for an idle lane must not turn a
        // negative zero into a positive one.
        let in_order = match fold.combine {
            B::AddF if reduce && !fold.half => Some(("fadd", -0.0f32)),
            B::MulF if reduce && !fold.half => Some(("fmul", 1.0)),
            _ => None,
        };
        let start = self.number(fold.identity, ty, false);
        if let Some((name, idle)) = in_order {
            let value = self.active(fold.src, ty, idle.to_bits())?;
            let sum = self.ins(&format!(
                "call float @llvm.vector.reduce.{name}.{suffix}(float {start}, {all} {value})"
            ));
            self.define(fold.dst, Val::Scalar(sum, Ty::Float));
            return Ok(());
        }
        let value = self.vector(fold.src, ty)?;
        let mask = self.mask_vector();
        let (one, lanes) = (self.ty(ty, false), self.ty(Ty::Bool, true));
        let mut sum = start;
        let mut out = "zeroinitializer".to_owned();
        for lane in 0..self.width {
            if fold.collective == Collective::Exclusive {
                out = self.ins(&format!("insertelement {all} {out}, {one} {sum}, i32 {lane}"));
            }
            let there = self.ins(&format!("extractelement {lanes} {mask}, i32 {lane}"));
            let next = self.ins(&format!("extractelement {all} {value}, i32 {lane}"));
            let mut more = self.combined(fold.combine, &sum, &next)?;
            if fold.half {
                more = self.half_rounded(&more, false);
            }
            sum = self.ins(&format!("select i1 {there}, {one} {more}, {one} {sum}"));
            if fold.collective == Collective::Inclusive {
                out = self.ins(&format!("insertelement {all} {out}, {one} {sum}, i32 {lane}"));
            }
        }
        let val = if reduce { Val::Scalar(sum, ty) } else { Val::Vector(out, ty) };
        self.define(fold.dst, val);
        Ok(())
    }

    /// Two scalars combined.
    fn combined(&mut self, f: Binary, x: &str, y: &str) -> Result<String> {
        use Binary as B;
        let op = match f {
            B::AddF => "fadd float",
            B::MulF => "fmul float",
            B::AddI => "add i32",
            B::MulI => "mul i32",
            B::And => "and i32",
            B::Or => "or i32",
            B::Xor => "xor i32",
            B::MinF | B::MaxF => return Ok(self.extreme(f, x, y, false)),
            B::MinI | B::MaxI | B::MinU | B::MaxU => {
                let name = match f {
                    B::MinI => "smin",
                    B::MaxI => "smax",
                    B::MinU => "umin",
                    _ => "umax",
                };
                return Ok(self.ins(&format!("call i32 @llvm.{name}.i32(i32 {x}, i32 {y})")));
            }
            _ => return Err(self.broken("a subgroup combines by this")),
        };
        Ok(self.ins(&format!("{op} {x}, {y}")))
    }
}
