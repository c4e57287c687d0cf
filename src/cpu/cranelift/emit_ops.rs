//! Scalar functions as Cranelift instructions, on one value or on a gang's.
//!
//! Each gives the same bits as `interpreter::functions`: undefined cases (division, conversions) are made
//! defined first. A function without a vector instruction uses the scalar one lane by lane; a function without
//! a short form calls the Rust function that the interpreter calls.

use std::rc::Rc;

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Value, types};
use cranelift_frontend::FunctionBuilder;

use super::emit::{Emitter, Lanes, QUAD, Val};
use crate::cpu::compiled::AnyFunction;
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::functions::{Binary, Reg, Ternary, Unary};
use crate::cpu::spmd::shape::Class;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

impl<'f> Emitter<'_, 'f> {
    /// Emits a pure operation.
    pub(super) fn pure(&mut self, op: &Op) -> Result<()> {
        match *op {
            Op::Unary { f: Unary::Copy, dst, a } if self.kernel.is_variable(dst) => {
                if let Some(array) = self.kernel.array_of(dst) {
                    return self.store_plane(array, dst - array.first, a);
                }
                self.store_variable(dst, a)
            }
            Op::Unary { f: Unary::Copy, dst, a } if self.kernel.is_variable(a) => {
                let val = match self.kernel.array_of(a) {
                    Some(array) => self.load_plane(array, a - array.first)?,
                    None => self.load_variable(a),
                };
                self.define(dst, val);
                Ok(())
            }
            Op::Unary { f: Unary::Copy, dst, a } => {
                let val = match self.kernel.known(a) {
                    Some(_) => Val::Scalar(self.scalar(a, Ty::Int)?, Ty::Int),
                    None => match self.vals.get(&a) {
                        Some(val) => val.clone(),
                        None => return Err(self.broken("a copy of nothing")),
                    },
                };
                self.define(dst, val);
                Ok(())
            }
            Op::Unary { f, dst, a } => {
                let vector = self.wants_vector(dst);
                let (lanes, ty) = self.unary(f, a, vector)?;
                self.result(dst, &lanes, ty);
                Ok(())
            }
            Op::Binary { f, dst, a, b } => {
                let vector = self.wants_vector(dst);
                match (f, self.kernel.known(a), self.kernel.known(b)) {
                    (Binary::AddI, None, Some(more)) => self.sums.insert(dst, (a, more)),
                    (Binary::AddI, Some(more), None) => self.sums.insert(dst, (b, more)),
                    _ => None,
                };
                let (lanes, ty) = self.binary(f, dst, a, b, vector)?;
                self.result(dst, &lanes, ty);
                Ok(())
            }
            Op::Ternary { f, dst, a, b, c } => {
                let vector = self.wants_vector(dst);
                let (lanes, ty) = self.ternary(f, dst, [a, b, c], vector)?;
                self.result(dst, &lanes, ty);
                Ok(())
            }
            Op::Index { dst, .. } => {
                self.indices.insert(dst, op.clone());
                Ok(())
            }
            Op::Pick { dst, ref planes, index } => {
                let vector = self.wants_vector(dst);
                let ty = self.types.of_reg(dst);
                let at = self.get(index, Ty::Int, vector)?;
                let mut picked = self.number(0, ty, vector);
                for (k, &plane) in planes.iter().enumerate() {
                    let value = self.get(plane, ty, vector)?;
                    let number = self.number(k as u32, Ty::Int, vector);
                    let here = self.icmp(IntCC::Equal, &at, &number);
                    picked = self.select(&here, &value, &picked, vector);
                }
                self.result(dst, &picked, ty);
                Ok(())
            }
            Op::ArrayLength { dst, binding } => {
                let length = self.args.bindings[binding].1;
                self.define(dst, Val::Scalar(length, Ty::Int));
                Ok(())
            }
            _ => Err(self.broken("not a pure operation")),
        }
    }

    /// Whether a register's value is a vector: neither uniform nor strided.
    fn wants_vector(&self, dst: Reg) -> bool {
        matches!(self.class(dst), Class::Likely | Class::Varying)
    }

    fn result(&mut self, dst: Reg, lanes: &Lanes, ty: Ty) {
        let val = match self.class(dst) {
            Class::Strided(step) => Val::Strided(lanes[0], step),
            Class::Likely | Class::Varying => Val::Vector(lanes.clone(), ty),
            _ => Val::Scalar(lanes[0], ty),
        };
        self.define(dst, val);
    }

    // Lane by lane.

    /// Applies a scalar function to each lane, or to the scalar.
    pub(super) fn each_lane(
        &mut self,
        x: &Lanes,
        f: impl Fn(&mut FunctionBuilder<'f>, Value) -> Value,
    ) -> Lanes {
        let x = x.clone();
        x.iter()
            .map(|&x| {
                if !self.b.func.dfg.value_type(x).is_vector() {
                    return f(&mut self.b, x);
                }
                let mut result = x;
                for lane in 0..QUAD as u8 {
                    let one = self.b.ins().extractlane(x, lane);
                    let one = f(&mut self.b, one);
                    result = self.b.ins().insertlane(result, one, lane);
                }
                result
            })
            .collect()
    }

    /// Applies a scalar function of two arguments to each lane.
    fn each_pair(
        &mut self,
        x: &Lanes,
        y: &Lanes,
        f: impl Fn(&mut FunctionBuilder<'f>, Value, Value) -> Value,
    ) -> Lanes {
        let (x, y) = (x.clone(), y.clone());
        x.iter()
            .zip(y.iter())
            .map(|(&x, &y)| {
                if !self.b.func.dfg.value_type(x).is_vector() {
                    return f(&mut self.b, x, y);
                }
                let mut result = x;
                for lane in 0..QUAD as u8 {
                    let a = self.b.ins().extractlane(x, lane);
                    let b = self.b.ins().extractlane(y, lane);
                    let one = f(&mut self.b, a, b);
                    result = self.b.ins().insertlane(result, one, lane);
                }
                result
            })
            .collect()
    }

    // Short forms.

    /// The lesser or the greater of two floats; if one is a NaN, the other.
    pub(super) fn extreme(&mut self, f: Binary, x: &Lanes, y: &Lanes, v: bool) -> Lanes {
        // This form becomes one instruction.
        let first = if f == Binary::MinF {
            self.fcmp(FloatCC::LessThan, x, y)
        } else {
            self.fcmp(FloatCC::LessThan, y, x)
        };
        let picked = self.select(&first, x, y, v);
        let nan = self.fcmp(FloatCC::Unordered, y, y);
        self.select(&nan, x, &picked, v)
    }

    /// The lesser or the greater of two words.
    pub(super) fn extremum(&mut self, f: Binary, x: &Lanes, y: &Lanes, v: bool) -> Lanes {
        if v {
            return self.zip(x, y, |b, x, y| match f {
                Binary::MinI => b.ins().smin(x, y),
                Binary::MaxI => b.ins().smax(x, y),
                Binary::MinU => b.ins().umin(x, y),
                _ => b.ins().umax(x, y),
            });
        }
        let cc = match f {
            Binary::MinI => IntCC::SignedLessThan,
            Binary::MaxI => IntCC::SignedGreaterThan,
            Binary::MinU => IntCC::UnsignedLessThan,
            _ => IntCC::UnsignedGreaterThan,
        };
        let first = self.icmp(cc, x, y);
        self.select(&first, x, y, v)
    }

    /// The number of set bits, by sums of pairs, of fours, of eights, of all.
    fn count_ones(&mut self, x: &Lanes, v: bool) -> Lanes {
        if !v {
            return self.map(x, |b, x| b.ins().popcnt(x));
        }
        let masks = [0x5555_5555, 0x3333_3333, 0x0f0f_0f0f, 0x0101_0101]
            .map(|bits| self.words([bits; 4], Ty::Int));
        self.map(x, |b, x| {
            let odd = b.ins().ushr_imm_u(x, 1);
            let odd = b.ins().band(odd, masks[0]);
            let two = b.ins().isub(x, odd);
            let high = b.ins().ushr_imm_u(two, 2);
            let high = b.ins().band(high, masks[1]);
            let low = b.ins().band(two, masks[1]);
            let four = b.ins().iadd(high, low);
            let high = b.ins().ushr_imm_u(four, 4);
            let eight = b.ins().iadd(four, high);
            let eight = b.ins().band(eight, masks[2]);
            let all = b.ins().imul(eight, masks[3]);
            b.ins().ushr_imm_u(all, 24)
        })
    }

    fn unary(&mut self, f: Unary, a: Reg, v: bool) -> Result<(Lanes, Ty)> {
        use Unary as U;
        Ok(match f {
            U::Copy => {
                let ty = self.types.of_reg(a);
                (self.get(a, ty, v)?, ty)
            }
            #[cfg(target_arch = "x86_64")]
            U::InverseSqrtGuess => (self.inverse_sqrt_guess(a, v)?, Ty::Float),
            U::Not => {
                let ty = if self.types.of_reg(a) == Ty::Bool { Ty::Bool } else { Ty::Int };
                let x = self.get(a, ty, v)?;
                if ty == Ty::Bool && !v {
                    (self.map(&x, |b, x| b.ins().bxor_imm_u(x, 1)), ty)
                } else {
                    (self.map(&x, |b, x| b.ins().bnot(x)), ty)
                }
            }
            U::NegI => {
                let x = self.get(a, Ty::Int, v)?;
                (self.map(&x, |b, x| b.ins().ineg(x)), Ty::Int)
            }
            U::NegF => {
                let x = self.get(a, Ty::Float, v)?;
                (self.map(&x, |b, x| b.ins().fneg(x)), Ty::Float)
            }
            U::AbsF => {
                let x = self.get(a, Ty::Float, v)?;
                (self.map(&x, |b, x| b.ins().fabs(x)), Ty::Float)
            }
            U::AbsI => {
                let x = self.get(a, Ty::Int, v)?;
                let zero = self.number(0, Ty::Int, v);
                let minus = self.map(&x, |b, x| b.ins().ineg(x));
                let negative = self.icmp(IntCC::SignedLessThan, &x, &zero);
                (self.select(&negative, &minus, &x, v), Ty::Int)
            }
            U::SignI => {
                let x = self.get(a, Ty::Int, v)?;
                let (zero, one) = (self.number(0, Ty::Int, v), self.number(1, Ty::Int, v));
                let sign = self.map(&x, |b, x| b.ins().sshr_imm_u(x, 31));
                let positive = self.icmp(IntCC::SignedGreaterThan, &x, &zero);
                (self.select(&positive, &one, &sign, v), Ty::Int)
            }
            U::SignF => {
                let x = self.get(a, Ty::Float, v)?;
                let (zero, one, minus) =
                    (self.float(0.0, v), self.float(1.0, v), self.float(-1.0, v));
                let below = self.fcmp(FloatCC::LessThan, &x, &zero);
                let above = self.fcmp(FloatCC::GreaterThan, &x, &zero);
                let low = self.select(&below, &minus, &zero, v);
                (self.select(&above, &one, &low, v), Ty::Float)
            }
            U::IToF | U::UToF => {
                let x = self.get(a, Ty::Int, v)?;
                let to = self.ty(Ty::Float, v);
                let floats = self.map(&x, |b, x| {
                    if f == U::IToF {
                        b.ins().fcvt_from_sint(to, x)
                    } else {
                        b.ins().fcvt_from_uint(to, x)
                    }
                });
                (floats, Ty::Float)
            }
            U::FToI | U::FToU | U::HToI | U::HToU => (self.truncated(f, a, v)?, Ty::Int),
            U::NonZeroI => {
                let x = self.get(a, Ty::Int, v)?;
                let zero = self.number(0, Ty::Int, v);
                (self.icmp(IntCC::NotEqual, &x, &zero), Ty::Bool)
            }
            U::NonZeroF => {
                let x = self.get(a, Ty::Float, v)?;
                let zero = self.float(0.0, v);
                (self.fcmp(FloatCC::NotEqual, &x, &zero), Ty::Bool)
            }
            U::BoolToI => {
                let (x, one) = (self.get(a, Ty::Int, v)?, self.number(1, Ty::Int, v));
                (self.and(&x, &one), Ty::Int)
            }
            U::BoolToF => {
                let x = self.get(a, Ty::Bool, v)?;
                let (one, zero) = (self.float(1.0, v), self.float(0.0, v));
                (self.select(&x, &one, &zero, v), Ty::Float)
            }
            U::RoundH => {
                let x = self.get(a, Ty::Float, v)?;
                let half = self.half_narrowed(&x, v);
                (self.half_widened(&half, v), Ty::Float)
            }
            U::HBits => {
                let x = self.get(a, Ty::Float, v)?;
                (self.half_narrowed(&x, v), Ty::Int)
            }
            U::FromHBits => {
                let (x, low) = (self.get(a, Ty::Int, v)?, self.number(0xffff, Ty::Int, v));
                let x = self.and(&x, &low);
                (self.half_widened(&x, v), Ty::Float)
            }
            U::Ceil | U::Floor | U::Trunc | U::Round | U::Sqrt => {
                let x = self.get(a, Ty::Float, v)?;
                let rounded = self.map(&x, |b, x| match f {
                    U::Ceil => b.ins().ceil(x),
                    U::Floor => b.ins().floor(x),
                    U::Trunc => b.ins().trunc(x),
                    U::Round => b.ins().nearest(x),
                    _ => b.ins().sqrt(x),
                });
                (rounded, Ty::Float)
            }
            U::Fract => {
                let x = self.get(a, Ty::Float, v)?;
                let fract = self.map(&x, |b, x| {
                    let floor = b.ins().floor(x);
                    b.ins().fsub(x, floor)
                });
                (fract, Ty::Float)
            }
            U::IsNan => {
                let x = self.get(a, Ty::Float, v)?;
                (self.fcmp(FloatCC::Unordered, &x, &x), Ty::Bool)
            }
            U::IsInf => {
                let x = self.get(a, Ty::Float, v)?;
                let size = self.map(&x, |b, x| b.ins().fabs(x));
                let infinity = self.float(f32::INFINITY, v);
                (self.fcmp(FloatCC::Equal, &size, &infinity), Ty::Bool)
            }
            U::CountOnes => {
                let x = self.get(a, Ty::Int, v)?;
                (self.count_ones(&x, v), Ty::Int)
            }
            U::ReverseBits => {
                let x = self.get(a, Ty::Int, v)?;
                (self.each_lane(&x, |b, x| b.ins().bitrev(x)), Ty::Int)
            }
            U::TrailingZeros => {
                let x = self.get(a, Ty::Int, v)?;
                (self.each_lane(&x, |b, x| b.ins().ctz(x)), Ty::Int)
            }
            U::LeadingZeros => {
                let x = self.get(a, Ty::Int, v)?;
                (self.each_lane(&x, |b, x| b.ins().clz(x)), Ty::Int)
            }
            U::FirstTrailing => {
                let x = self.get(a, Ty::Int, v)?;
                let zeros = self.each_lane(&x, |b, x| b.ins().ctz(x));
                let (zero, ones) = (self.number(0, Ty::Int, v), self.number(u32::MAX, Ty::Int, v));
                let none = self.icmp(IntCC::Equal, &x, &zero);
                (self.select(&none, &ones, &zeros, v), Ty::Int)
            }
            U::FirstLeadingU | U::FirstLeadingI => {
                let mut x = self.get(a, Ty::Int, v)?;
                if f == U::FirstLeadingI {
                    x = self.map(&x, |b, x| {
                        let sign = b.ins().sshr_imm_u(x, 31);
                        b.ins().bxor(x, sign)
                    });
                }
                let zeros = self.each_lane(&x, |b, x| b.ins().clz(x));
                let top = self.number(31, Ty::Int, v);
                (self.zip(&top, &zeros, |b, x, y| b.ins().isub(x, y)), Ty::Int)
            }
            _ => {
                let ty = if f == U::FrexpExponent { Ty::Int } else { Ty::Float };
                (self.apply(AnyFunction::Unary(f), &[a], ty, v)?, ty)
            }
        })
    }

    /// A float rounded towards zero to an integer that a float of its kind can hold; NaN gives zero. The
    /// conversion saturates, and gives zero for NaN.
    fn truncated(&mut self, f: Unary, a: Reg, v: bool) -> Result<Lanes> {
        let signed = matches!(f, Unary::FToI | Unary::HToI);
        let (low, high) = match f {
            Unary::FToI => (None, 2_147_483_520.0),
            Unary::FToU => (None, 4_294_967_040.0),
            Unary::HToI => (Some(-65504.0), 65504.0),
            _ => (None, 65504.0),
        };
        let mut x = self.get(a, Ty::Float, v)?;
        let high = self.float(high, v);
        let above = self.fcmp(FloatCC::GreaterThan, &x, &high);
        x = self.select(&above, &high, &x, v);
        if let Some(low) = low {
            let low = self.float(low, v);
            let below = self.fcmp(FloatCC::LessThan, &x, &low);
            x = self.select(&below, &low, &x, v);
        }
        let to = self.ty(Ty::Int, v);
        Ok(self.map(&x, |b, x| {
            if signed { b.ins().fcvt_to_sint_sat(to, x) } else { b.ins().fcvt_to_uint_sat(to, x) }
        }))
    }

    fn binary(&mut self, f: Binary, dst: Reg, a: Reg, b: Reg, v: bool) -> Result<(Lanes, Ty)> {
        use Binary as B;
        if matches!(f, B::AddF | B::SubF | B::MulF | B::DivF) {
            let (x, y) = (self.get(a, Ty::Float, v)?, self.get(b, Ty::Float, v)?);
            let result = self.zip(&x, &y, |b, x, y| match f {
                B::AddF => b.ins().fadd(x, y),
                B::SubF => b.ins().fsub(x, y),
                B::MulF => b.ins().fmul(x, y),
                _ => b.ins().fdiv(x, y),
            });
            return Ok((result, Ty::Float));
        }
        if matches!(f, B::AddI | B::SubI | B::MulI) {
            let (x, y) = (self.get(a, Ty::Int, v)?, self.get(b, Ty::Int, v)?);
            let result = self.zip(&x, &y, |b, x, y| match f {
                B::AddI => b.ins().iadd(x, y),
                B::SubI => b.ins().isub(x, y),
                _ => b.ins().imul(x, y),
            });
            return Ok((result, Ty::Int));
        }
        let float_compare = match f {
            B::EqF => Some(FloatCC::Equal),
            B::NeF => Some(FloatCC::NotEqual),
            B::LtF => Some(FloatCC::LessThan),
            B::LeF => Some(FloatCC::LessThanOrEqual),
            _ => None,
        };
        if let Some(cc) = float_compare {
            let (x, y) = (self.get(a, Ty::Float, v)?, self.get(b, Ty::Float, v)?);
            return Ok((self.fcmp(cc, &x, &y), Ty::Bool));
        }
        let compare = match f {
            B::EqI => Some(IntCC::Equal),
            B::NeI => Some(IntCC::NotEqual),
            B::LtI => Some(IntCC::SignedLessThan),
            B::LeI => Some(IntCC::SignedLessThanOrEqual),
            B::LtU => Some(IntCC::UnsignedLessThan),
            B::LeU => Some(IntCC::UnsignedLessThanOrEqual),
            _ => None,
        };
        if let Some(cc) = compare {
            let (x, y) = (self.get(a, Ty::Int, v)?, self.get(b, Ty::Int, v)?);
            return Ok((self.icmp(cc, &x, &y), Ty::Bool));
        }
        Ok(match f {
            B::MinF | B::MaxF => {
                let (x, y) = (self.get(a, Ty::Float, v)?, self.get(b, Ty::Float, v)?);
                (self.extreme(f, &x, &y, v), Ty::Float)
            }
            B::StepF => {
                let (x, y) = (self.get(a, Ty::Float, v)?, self.get(b, Ty::Float, v)?);
                let reached = self.fcmp(FloatCC::LessThanOrEqual, &x, &y);
                let (one, zero) = (self.float(1.0, v), self.float(0.0, v));
                (self.select(&reached, &one, &zero, v), Ty::Float)
            }
            B::DivI | B::RemI | B::DivU | B::RemU => (self.divide(f, a, b, v)?, Ty::Int),
            B::MinI | B::MaxI | B::MinU | B::MaxU => {
                let (x, y) = (self.get(a, Ty::Int, v)?, self.get(b, Ty::Int, v)?);
                (self.extremum(f, &x, &y, v), Ty::Int)
            }
            B::And | B::Or | B::Xor | B::AndNot => {
                let ty = if self.types.of_reg(dst) == Ty::Bool { Ty::Bool } else { Ty::Int };
                let (x, y) = (self.get(a, ty, v)?, self.get(b, ty, v)?);
                let result = self.zip(&x, &y, |b, x, y| match f {
                    B::And => b.ins().band(x, y),
                    B::Or => b.ins().bor(x, y),
                    B::Xor => b.ins().bxor(x, y),
                    _ => b.ins().band_not(x, y),
                });
                (result, ty)
            }
            B::Shl | B::ShrU | B::ShrI => (self.shift(f, a, b, v)?, Ty::Int),
            _ => (self.apply(AnyFunction::Binary(f), &[a, b], Ty::Float, v)?, Ty::Float),
        })
    }

    /// The instruction takes the count modulo the word's bits. All lanes of a vector shift by one count.
    fn shift(&mut self, f: Binary, a: Reg, b: Reg, v: bool) -> Result<Lanes> {
        let shift = |b: &mut FunctionBuilder<'f>, x: Value, y: Value| match f {
            Binary::Shl => b.ins().ishl(x, y),
            Binary::ShrU => b.ins().ushr(x, y),
            _ => b.ins().sshr(x, y),
        };
        let x = self.get(a, Ty::Int, v)?;
        if !v || self.is_uniform(b) || self.kernel.known(b).is_some() {
            let by = self.scalar(b, Ty::Int)?;
            return Ok(self.map(&x, |b, x| shift(b, x, by)));
        }
        let y = self.vector(b, Ty::Int)?;
        Ok(self.each_pair(&x, &y, shift))
    }

    fn divide(&mut self, f: Binary, a: Reg, b: Reg, v: bool) -> Result<Lanes> {
        let signed = matches!(f, Binary::DivI | Binary::RemI);
        let known = self.kernel.known(b);
        let x = self.get(a, Ty::Int, v)?;
        // A division by a power of two is a shift or a mask.
        if let Some(by) = known.filter(|by| by.is_power_of_two() && !signed) {
            return Ok(if f == Binary::DivU {
                self.map(&x, |b, x| b.ins().ushr_imm_u(x, i64::from(by.trailing_zeros())))
            } else {
                let low = self.number(by - 1, Ty::Int, v);
                self.and(&x, &low)
            });
        }
        let divide = |b: &mut FunctionBuilder<'f>, x: Value, y: Value| match f {
            Binary::DivI => b.ins().sdiv(x, y),
            Binary::RemI => b.ins().srem(x, y),
            Binary::DivU => b.ins().udiv(x, y),
            _ => b.ins().urem(x, y),
        };
        if let Some(by) = known.filter(|&by| by != 0 && by != u32::MAX) {
            return Ok(self.each_lane(&x, |b, x| {
                let by = b.ins().iconst(types::I32, i64::from(by));
                divide(b, x, by)
            }));
        }
        let mut y = self.get(b, Ty::Int, v)?;
        let (one, zero) = (self.number(1, Ty::Int, v), self.number(0, Ty::Int, v));
        let mut bad = self.icmp(IntCC::Equal, &y, &zero);
        if signed {
            let least = self.number(1 << 31, Ty::Int, v);
            let ones = self.number(u32::MAX, Ty::Int, v);
            let least = self.icmp(IntCC::Equal, &x, &least);
            let minus = self.icmp(IntCC::Equal, &y, &ones);
            let overflow = self.and(&least, &minus);
            bad = self.zip(&bad, &overflow, |b, x, y| b.ins().bor(x, y));
        }
        y = self.select(&bad, &one, &y, v);
        Ok(self.each_pair(&x, &y, divide))
    }

    fn ternary(
        &mut self,
        f: Ternary,
        dst: Reg,
        [a, b, c]: [Reg; 3],
        v: bool,
    ) -> Result<(Lanes, Ty)> {
        Ok(match f {
            Ternary::Select if self.types.of_reg(c) != Ty::Bool => {
                let (x, y) = (self.get(a, Ty::Int, v)?, self.get(b, Ty::Int, v)?);
                let z = self.get(c, Ty::Int, v)?;
                let yes = self.and(&x, &z);
                let no = self.and_not(&y, &z);
                (self.zip(&yes, &no, |b, x, y| b.ins().bor(x, y)), Ty::Int)
            }
            Ternary::Select => {
                let ty = self.types.of_reg(dst);
                let (x, y) = (self.get(a, ty, v)?, self.get(b, ty, v)?);
                if v && self.is_uniform(c) {
                    let c = self.scalar(c, Ty::Bool)?;
                    return Ok((self.zip(&x, &y, |b, x, y| b.ins().select(c, x, y)), ty));
                }
                let condition = self.get(c, Ty::Bool, v)?;
                (self.select(&condition, &x, &y, v), ty)
            }
            Ternary::FmaF if self.fma => {
                let x = self.get(a, Ty::Float, v)?;
                let y = self.get(b, Ty::Float, v)?;
                let z = self.get(c, Ty::Float, v)?;
                let sums = x
                    .iter()
                    .zip(y.iter().zip(z.iter()))
                    .map(|(&x, (&y, &z))| self.b.ins().fma(x, y, z))
                    .collect();
                (sums, Ty::Float)
            }
            Ternary::FmaF | Ternary::FmaH => {
                let args = [a, b, c];
                (self.apply(AnyFunction::Ternary(f), &args, Ty::Float, v)?, Ty::Float)
            }
        })
    }

    /// One scalar as lanes.
    pub(super) fn single(value: Value) -> Lanes {
        Rc::new([value])
    }
}
