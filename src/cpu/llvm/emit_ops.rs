//! Scalar functions as LLVM instructions, on one value or on a gang's.
//!
//! Each gives the same bits as `interpreter::functions`: no fast-math flag, no contraction, and undefined cases
//! (division, shifts, conversions) are made defined first. A function without a short form is called lane by
//! lane: it is the Rust function that the interpreter calls.

use super::emit::{Emitter, Mask, Val, float_literal};
use crate::cpu::compiled::AnyFunction;
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::functions::{Binary, Reg, Ternary, Unary};
use crate::cpu::spmd::shape::Class;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

impl Emitter<'_> {
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
                    Some(array) => self.load_plane(array, a - array.first),
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
                let (name, ty) = self.unary(f, a, vector)?;
                self.result(dst, name, ty);
                Ok(())
            }
            Op::Binary { f, dst, a, b } => {
                let vector = self.wants_vector(dst);
                let (name, ty) = self.binary(f, dst, a, b, vector)?;
                self.result(dst, name, ty);
                Ok(())
            }
            Op::Ternary { f, dst, a, b, c } => {
                let vector = self.wants_vector(dst);
                let (name, ty) = self.ternary(f, dst, a, b, c, vector)?;
                self.result(dst, name, ty);
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
                let (int, text) = (self.ty(Ty::Int, vector), self.ty(ty, vector));
                let lanes = self.ty(Ty::Bool, vector);
                let mut picked = match (vector, ty) {
                    (true, _) => "zeroinitializer".to_owned(),
                    (false, Ty::Float) => float_literal(0),
                    (false, Ty::Int) => "0".to_owned(),
                    (false, Ty::Bool) => "false".to_owned(),
                };
                for (k, &plane) in planes.iter().enumerate() {
                    let value = self.get(plane, ty, vector)?;
                    let number = self.number(k as u32, Ty::Int, vector);
                    let here = self.ins(&format!("icmp eq {int} {at}, {number}"));
                    picked = self
                        .ins(&format!("select {lanes} {here}, {text} {value}, {text} {picked}"));
                }
                self.result(dst, picked, ty);
                Ok(())
            }
            Op::ArrayLength { dst, binding } => {
                self.define(dst, Val::Scalar(format!("%len{binding}"), Ty::Int));
                Ok(())
            }
            _ => Err(self.broken("not a pure operation")),
        }
    }

    /// Whether a register's value is a vector: neither uniform nor strided.
    fn wants_vector(&self, dst: Reg) -> bool {
        matches!(self.class(dst), Class::Likely | Class::Varying)
    }

    fn result(&mut self, dst: Reg, name: String, ty: Ty) {
        let val = match self.class(dst) {
            Class::Strided(step) => Val::Strided(name, step),
            Class::Likely | Class::Varying => Val::Vector(name, ty),
            _ => Val::Scalar(name, ty),
        };
        self.define(dst, val);
    }

    /// A constant as a vector or a scalar.
    pub(super) fn number(&mut self, bits: u32, ty: Ty, vector: bool) -> String {
        if vector {
            return self.constant(bits, ty);
        }
        match ty {
            Ty::Float => float_literal(bits),
            Ty::Int => (bits as i32).to_string(),
            Ty::Bool => (bits != 0).to_string(),
        }
    }

    fn float(&mut self, value: f32, vector: bool) -> String {
        self.number(value.to_bits(), Ty::Float, vector)
    }

    fn call(&mut self, name: &str, ty: Ty, args: &[&str], vector: bool) -> String {
        let text = self.ty(ty, vector);
        let suffix = self.suffix(ty, vector);
        let args: Vec<String> = args.iter().map(|arg| format!("{text} {arg}")).collect();
        self.ins(&format!("call {text} @llvm.{name}.{suffix}({})", args.join(", ")))
    }

    pub(super) fn select(&mut self, c: &str, yes: &str, no: &str, ty: Ty, vector: bool) -> String {
        let (lanes, text) = (self.ty(Ty::Bool, vector), self.ty(ty, vector));
        self.ins(&format!("select {lanes} {c}, {text} {yes}, {text} {no}"))
    }

    fn compare(&mut self, how: &str, x: &str, y: &str, ty: Ty, vector: bool) -> String {
        let text = self.ty(ty, vector);
        let op = if ty == Ty::Float { "fcmp" } else { "icmp" };
        self.ins(&format!("{op} {how} {text} {x}, {y}"))
    }

    fn unary(&mut self, f: Unary, a: Reg, v: bool) -> Result<(String, Ty)> {
        use Unary as U;
        let (int, float) = (self.ty(Ty::Int, v), self.ty(Ty::Float, v));
        let flag = "i1 false";
        Ok(match f {
            U::Copy => {
                let ty = self.types.of_reg(a);
                (self.get(a, ty, v)?, ty)
            }
            U::Not => {
                let ty = if self.types.of_reg(a) == Ty::Bool { Ty::Bool } else { Ty::Int };
                let x = self.get(a, ty, v)?;
                let (text, ones) = (self.ty(ty, v), self.number(u32::MAX, ty, v));
                (self.ins(&format!("xor {text} {x}, {ones}")), ty)
            }
            U::NegI => {
                let x = self.get(a, Ty::Int, v)?;
                let zero = self.number(0, Ty::Int, v);
                (self.ins(&format!("sub {int} {zero}, {x}")), Ty::Int)
            }
            U::NegF => {
                let x = self.get(a, Ty::Float, v)?;
                (self.ins(&format!("fneg {float} {x}")), Ty::Float)
            }
            U::AbsF => {
                let x = self.get(a, Ty::Float, v)?;
                (self.call("fabs", Ty::Float, &[&x], v), Ty::Float)
            }
            U::AbsI => {
                let x = self.get(a, Ty::Int, v)?;
                let zero = self.number(0, Ty::Int, v);
                let minus = self.ins(&format!("sub {int} {zero}, {x}"));
                let negative = self.compare("slt", &x, &zero, Ty::Int, v);
                (self.select(&negative, &minus, &x, Ty::Int, v), Ty::Int)
            }
            U::SignI => {
                let x = self.get(a, Ty::Int, v)?;
                let zero = self.number(0, Ty::Int, v);
                let sign = {
                    let by = self.number(31, Ty::Int, v);
                    self.ins(&format!("ashr {int} {x}, {by}"))
                };
                let positive = self.compare("sgt", &x, &zero, Ty::Int, v);
                let one = self.number(1, Ty::Int, v);
                (self.select(&positive, &one, &sign, Ty::Int, v), Ty::Int)
            }
            U::SignF => {
                let x = self.get(a, Ty::Float, v)?;
                let (zero, one, minus) =
                    (self.float(0.0, v), self.float(1.0, v), self.float(-1.0, v));
                let below = self.compare("olt", &x, &zero, Ty::Float, v);
                let above = self.compare("ogt", &x, &zero, Ty::Float, v);
                let low = self.select(&below, &minus, &zero, Ty::Float, v);
                (self.select(&above, &one, &low, Ty::Float, v), Ty::Float)
            }
            U::IToF | U::UToF => {
                let x = self.get(a, Ty::Int, v)?;
                let op = if f == U::IToF { "sitofp" } else { "uitofp" };
                (self.ins(&format!("{op} {int} {x} to {float}")), Ty::Float)
            }
            U::FToI | U::FToU | U::HToI | U::HToU => {
                let (low, high, op) = match f {
                    U::FToI => (-2_147_483_648.0, 2_147_483_520.0, "fptosi"),
                    U::FToU => (0.0, 4_294_967_040.0, "fptoui"),
                    U::HToI => (-65504.0, 65504.0, "fptosi"),
                    _ => (0.0, 65504.0, "fptoui"),
                };
                let x = self.get(a, Ty::Float, v)?;
                let (low, high) = (self.float(low, v), self.float(high, v));
                let small = self.compare("olt", &x, &high, Ty::Float, v);
                let clamped = self.select(&small, &x, &high, Ty::Float, v);
                let large = self.compare("ogt", &clamped, &low, Ty::Float, v);
                let clamped = self.select(&large, &clamped, &low, Ty::Float, v);
                let number = self.ins(&format!("{op} {float} {clamped} to {int}"));
                let nan = self.compare("uno", &x, &x, Ty::Float, v);
                let zero = self.number(0, Ty::Int, v);
                (self.select(&nan, &zero, &number, Ty::Int, v), Ty::Int)
            }
            U::NonZeroI => {
                let x = self.get(a, Ty::Int, v)?;
                let zero = self.number(0, Ty::Int, v);
                (self.compare("ne", &x, &zero, Ty::Int, v), Ty::Bool)
            }
            U::NonZeroF => {
                let x = self.get(a, Ty::Float, v)?;
                let zero = self.float(0.0, v);
                (self.compare("une", &x, &zero, Ty::Float, v), Ty::Bool)
            }
            U::BoolToI => {
                let (x, one) = (self.get(a, Ty::Int, v)?, self.number(1, Ty::Int, v));
                (self.ins(&format!("and {int} {x}, {one}")), Ty::Int)
            }
            U::BoolToF => {
                let x = self.get(a, Ty::Bool, v)?;
                let (one, zero) = (self.float(1.0, v), self.float(0.0, v));
                (self.select(&x, &one, &zero, Ty::Float, v), Ty::Float)
            }
            U::RoundH => {
                let x = self.get(a, Ty::Float, v)?;
                (self.half_rounded(&x, v), Ty::Float)
            }
            U::HBits => {
                let x = self.get(a, Ty::Float, v)?;
                let bits = self.half_narrowed(&x, v);
                let width = self.width;
                let short = if v { format!("<{width} x i16>") } else { "i16".to_owned() };
                (self.ins(&format!("zext {short} {bits} to {int}")), Ty::Int)
            }
            U::FromHBits => {
                let x = self.get(a, Ty::Int, v)?;
                let width = self.width;
                let short = if v { format!("<{width} x i16>") } else { "i16".to_owned() };
                let low = self.ins(&format!("trunc {int} {x} to {short}"));
                (self.half_widened(&low, v), Ty::Float)
            }
            U::Ceil | U::Floor | U::Trunc | U::Round | U::Sqrt => {
                let x = self.get(a, Ty::Float, v)?;
                let name = match f {
                    U::Ceil => "ceil",
                    U::Floor => "floor",
                    U::Trunc => "trunc",
                    U::Round => "roundeven",
                    _ => "sqrt",
                };
                (self.call(name, Ty::Float, &[&x], v), Ty::Float)
            }
            U::Fract => {
                let x = self.get(a, Ty::Float, v)?;
                let floor = self.call("floor", Ty::Float, &[&x], v);
                (self.ins(&format!("fsub {float} {x}, {floor}")), Ty::Float)
            }
            U::IsNan => {
                let x = self.get(a, Ty::Float, v)?;
                (self.compare("uno", &x, &x, Ty::Float, v), Ty::Bool)
            }
            U::IsInf => {
                let x = self.get(a, Ty::Float, v)?;
                let size = self.call("fabs", Ty::Float, &[&x], v);
                let infinity = self.float(f32::INFINITY, v);
                (self.compare("oeq", &size, &infinity, Ty::Float, v), Ty::Bool)
            }
            U::CountOnes => {
                let x = self.get(a, Ty::Int, v)?;
                (self.call("ctpop", Ty::Int, &[&x], v), Ty::Int)
            }
            U::ReverseBits => {
                let x = self.get(a, Ty::Int, v)?;
                (self.call("bitreverse", Ty::Int, &[&x], v), Ty::Int)
            }
            U::TrailingZeros | U::LeadingZeros => {
                let x = self.get(a, Ty::Int, v)?;
                let name = if f == U::TrailingZeros { "cttz" } else { "ctlz" };
                (self.count_zeros(name, &x, flag, v), Ty::Int)
            }
            U::FirstTrailing => {
                let x = self.get(a, Ty::Int, v)?;
                let zeros = self.count_zeros("cttz", &x, flag, v);
                let zero = self.number(0, Ty::Int, v);
                let none = self.compare("eq", &x, &zero, Ty::Int, v);
                let ones = self.number(u32::MAX, Ty::Int, v);
                (self.select(&none, &ones, &zeros, Ty::Int, v), Ty::Int)
            }
            U::FirstLeadingU | U::FirstLeadingI => {
                let mut x = self.get(a, Ty::Int, v)?;
                let top = self.number(31, Ty::Int, v);
                if f == U::FirstLeadingI {
                    let sign = self.ins(&format!("ashr {int} {x}, {top}"));
                    x = self.ins(&format!("xor {int} {x}, {sign}"));
                }
                let zeros = self.count_zeros("ctlz", &x, flag, v);
                (self.ins(&format!("sub {int} {top}, {zeros}")), Ty::Int)
            }
            U::InverseSqrtGuess => {
                let x = self.get(a, Ty::Float, v)?;
                (self.inverse_sqrt_guess(&x, v), Ty::Float)
            }
            _ => {
                let function = AnyFunction::Unary(f);
                let ty = if f == U::FrexpExponent { Ty::Int } else { Ty::Float };
                (self.apply(function, &[a], ty, v)?, ty)
            }
        })
    }

    /// The instruction has 4, 8 or 16 lanes: a wider gang is split, a scalar is widened. Only processors that
    /// have the instruction get here.
    fn inverse_sqrt_guess(&mut self, x: &str, v: bool) -> String {
        let width = if v { self.width } else { 1 };
        let each = width.clamp(4, 16);
        let from = self.ty(Ty::Float, v);
        let mask = |lanes: std::ops::Range<u32>| {
            let lanes: Vec<String> = lanes.map(|lane| format!("i32 {lane}")).collect();
            lanes.join(", ")
        };
        let mut parts: Vec<(String, u32)> = (0..width.div_ceil(each))
            .map(|part| {
                let x = if width == 1 {
                    self.ins(&format!(
                        "insertelement <4 x float> zeroinitializer, float {x}, i32 0"
                    ))
                } else if width == each {
                    x.to_owned()
                } else {
                    let lanes = mask(part * each..(part + 1) * each);
                    self.ins(&format!(
                        "shufflevector {from} {x}, {from} {x}, <{each} x i32> <{lanes}>"
                    ))
                };
                let (bits, flags) = (32 * each, each.max(8));
                let y = self.ins(&format!(
                    "call <{each} x float> @llvm.x86.avx512.rsqrt14.ps.{bits}(<{each} x float> \
                     {x}, <{each} x float> zeroinitializer, i{flags} -1)"
                ));
                (y, each)
            })
            .collect();
        while let [(a, lanes), (b, _), ..] = &parts[..] {
            let (all, lanes) = (mask(0..2 * lanes), *lanes);
            let both = self.ins(&format!(
                "shufflevector <{lanes} x float> {a}, <{lanes} x float> {b}, \
                 <{} x i32> <{all}>",
                2 * lanes
            ));
            // The halves of a gang of 64 are joined in order.
            parts.drain(..2);
            parts.push((both, 2 * lanes));
        }
        let y = parts.swap_remove(0).0;
        if width == 1 { self.ins(&format!("extractelement <4 x float> {y}, i32 0")) } else { y }
    }

    fn count_zeros(&mut self, name: &str, x: &str, flag: &str, v: bool) -> String {
        let (int, suffix) = (self.ty(Ty::Int, v), self.suffix(Ty::Int, v));
        self.ins(&format!("call {int} @llvm.{name}.{suffix}({int} {x}, {flag})"))
    }

    fn binary(&mut self, f: Binary, dst: Reg, a: Reg, b: Reg, v: bool) -> Result<(String, Ty)> {
        use Binary as B;
        let float_op = match f {
            B::AddF => Some("fadd"),
            B::SubF => Some("fsub"),
            B::MulF => Some("fmul"),
            B::DivF => Some("fdiv"),
            _ => None,
        };
        if let Some(op) = float_op {
            let (x, y) = (self.get(a, Ty::Float, v)?, self.get(b, Ty::Float, v)?);
            let float = self.ty(Ty::Float, v);
            return Ok((self.ins(&format!("{op} {float} {x}, {y}")), Ty::Float));
        }
        let int_op = match f {
            B::AddI => Some("add"),
            B::SubI => Some("sub"),
            B::MulI => Some("mul"),
            _ => None,
        };
        let int = self.ty(Ty::Int, v);
        if let Some(op) = int_op {
            let (x, y) = (self.get(a, Ty::Int, v)?, self.get(b, Ty::Int, v)?);
            return Ok((self.ins(&format!("{op} {int} {x}, {y}")), Ty::Int));
        }
        let compare = match f {
            B::EqF => Some(("oeq", Ty::Float)),
            B::NeF => Some(("une", Ty::Float)),
            B::LtF => Some(("olt", Ty::Float)),
            B::LeF => Some(("ole", Ty::Float)),
            B::EqI => Some(("eq", Ty::Int)),
            B::NeI => Some(("ne", Ty::Int)),
            B::LtI => Some(("slt", Ty::Int)),
            B::LeI => Some(("sle", Ty::Int)),
            B::LtU => Some(("ult", Ty::Int)),
            B::LeU => Some(("ule", Ty::Int)),
            _ => None,
        };
        if let Some((how, ty)) = compare {
            let (x, y) = (self.get(a, ty, v)?, self.get(b, ty, v)?);
            return Ok((self.compare(how, &x, &y, ty, v), Ty::Bool));
        }
        Ok(match f {
            B::MinF | B::MaxF => {
                let (x, y) = (self.get(a, Ty::Float, v)?, self.get(b, Ty::Float, v)?);
                (self.extreme(f, &x, &y, v), Ty::Float)
            }
            B::StepF => {
                let (x, y) = (self.get(a, Ty::Float, v)?, self.get(b, Ty::Float, v)?);
                let reached = self.compare("ole", &x, &y, Ty::Float, v);
                let (one, zero) = (self.float(1.0, v), self.float(0.0, v));
                (self.select(&reached, &one, &zero, Ty::Float, v), Ty::Float)
            }
            B::DivI | B::RemI | B::DivU | B::RemU => {
                let (mut x, mut y) = (self.get(a, Ty::Int, v)?, self.get(b, Ty::Int, v)?);
                let (one, zero) = (self.number(1, Ty::Int, v), self.number(0, Ty::Int, v));
                let signed = matches!(f, B::DivI | B::RemI);
                let harmless = self.kernel.known(b).is_some_and(|c| c != 0 && c != u32::MAX);
                if !harmless {
                    // An inactive lane may hold an undefined value, which differs at each use: a test
                    // for zero would prove nothing about the division.
                    x = self.ins(&format!("freeze {int} {x}"));
                    y = self.ins(&format!("freeze {int} {y}"));
                    let mut bad = self.compare("eq", &y, &zero, Ty::Int, v);
                    if signed {
                        let least = self.number(1 << 31, Ty::Int, v);
                        let ones = self.number(u32::MAX, Ty::Int, v);
                        let least = self.compare("eq", &x, &least, Ty::Int, v);
                        let minus = self.compare("eq", &y, &ones, Ty::Int, v);
                        let lanes = self.ty(Ty::Bool, v);
                        let overflow = self.ins(&format!("and {lanes} {least}, {minus}"));
                        bad = self.ins(&format!("or {lanes} {bad}, {overflow}"));
                    }
                    // LLVM 15 drops the `freeze` of registers that hold no lane of the gang.
                    if v && let Mask::Some(exists) = self.exists.clone() {
                        let lanes = self.ty(Ty::Bool, v);
                        let ones = self.number(u32::MAX, Ty::Bool, v);
                        let nobody = self.ins(&format!("xor {lanes} {exists}, {ones}"));
                        bad = self.ins(&format!("or {lanes} {bad}, {nobody}"));
                    }
                    y = self.select(&bad, &one, &y, Ty::Int, v);
                }
                let op = match f {
                    B::DivI => "sdiv",
                    B::RemI => "srem",
                    B::DivU => "udiv",
                    _ => "urem",
                };
                (self.ins(&format!("{op} {int} {x}, {y}")), Ty::Int)
            }
            B::MinI | B::MaxI | B::MinU | B::MaxU => {
                let (x, y) = (self.get(a, Ty::Int, v)?, self.get(b, Ty::Int, v)?);
                let name = match f {
                    B::MinI => "smin",
                    B::MaxI => "smax",
                    B::MinU => "umin",
                    _ => "umax",
                };
                (self.call(name, Ty::Int, &[&x, &y], v), Ty::Int)
            }
            B::And | B::Or | B::Xor | B::AndNot => {
                let ty = if self.types.of_reg(dst) == Ty::Bool { Ty::Bool } else { Ty::Int };
                let (x, mut y) = (self.get(a, ty, v)?, self.get(b, ty, v)?);
                let text = self.ty(ty, v);
                if f == B::AndNot {
                    let ones = self.number(u32::MAX, ty, v);
                    y = self.ins(&format!("xor {text} {y}, {ones}"));
                }
                let op = match f {
                    B::Or => "or",
                    B::Xor => "xor",
                    _ => "and",
                };
                (self.ins(&format!("{op} {text} {x}, {y}")), ty)
            }
            B::Shl | B::ShrU | B::ShrI => {
                let (x, y) = (self.get(a, Ty::Int, v)?, self.get(b, Ty::Int, v)?);
                let low = self.number(31, Ty::Int, v);
                let by = self.ins(&format!("and {int} {y}, {low}"));
                let op = match f {
                    B::Shl => "shl",
                    B::ShrU => "lshr",
                    _ => "ashr",
                };
                (self.ins(&format!("{op} {int} {x}, {by}")), Ty::Int)
            }
            _ => (self.apply(AnyFunction::Binary(f), &[a, b], Ty::Float, v)?, Ty::Float),
        })
    }

    /// The lesser or the greater of two floats; if one is a NaN, the other.
    pub(super) fn extreme(&mut self, f: Binary, x: &str, y: &str, v: bool) -> String {
        let how = if f == Binary::MinF { "olt" } else { "ogt" };
        let first = self.compare(how, x, y, Ty::Float, v);
        let picked = self.select(&first, x, y, Ty::Float, v);
        let nan = self.compare("uno", y, y, Ty::Float, v);
        self.select(&nan, x, &picked, Ty::Float, v)
    }

    fn ternary(
        &mut self,
        f: Ternary,
        dst: Reg,
        a: Reg,
        b: Reg,
        c: Reg,
        v: bool,
    ) -> Result<(String, Ty)> {
        Ok(match f {
            Ternary::Select if self.types.of_reg(c) != Ty::Bool => {
                let (x, y) = (self.get(a, Ty::Int, v)?, self.get(b, Ty::Int, v)?);
                let z = self.get(c, Ty::Int, v)?;
                let (int, ones) = (self.ty(Ty::Int, v), self.number(u32::MAX, Ty::Int, v));
                let yes = self.ins(&format!("and {int} {x}, {z}"));
                let not = self.ins(&format!("xor {int} {z}, {ones}"));
                let no = self.ins(&format!("and {int} {y}, {not}"));
                (self.ins(&format!("or {int} {yes}, {no}")), Ty::Int)
            }
            Ternary::Select => {
                let ty = self.types.of_reg(dst);
                let (x, y) = (self.get(a, ty, v)?, self.get(b, ty, v)?);
                let condition = self.get(c, Ty::Bool, v)?;
                (self.select(&condition, &x, &y, ty, v), ty)
            }
            Ternary::FmaF if self.features.fma => {
                let x = self.get(a, Ty::Float, v)?;
                let y = self.get(b, Ty::Float, v)?;
                let z = self.get(c, Ty::Float, v)?;
                (self.call("fma", Ty::Float, &[&x, &y, &z], v), Ty::Float)
            }
            Ternary::FmaF | Ternary::FmaH => {
                let args = [a, b, c];
                (self.apply(AnyFunction::Ternary(f), &args, Ty::Float, v)?, Ty::Float)
            }
        })
    }

    /// Calls a Rust function for each lane.
    fn apply(&mut self, function: AnyFunction, args: &[Reg], ty: Ty, v: bool) -> Result<String> {
        let number = match self.functions.iter().position(|&known| known == function) {
            Some(number) => number,
            None => {
                self.functions.push(function);
                self.functions.len() - 1
            }
        };
        let all = self.ty(Ty::Int, true);
        let slots = ["%arg.a", "%arg.b", "%arg.c"].map(|name| self.shared_slot(name, &all));
        let out = self.shared_slot("%arg.out", &all);
        for (&arg, slot) in args.iter().zip(slots) {
            let value = self.get(arg, Ty::Int, v)?;
            let int = self.ty(Ty::Int, v);
            self.line(&format!("store {int} {value}, ptr {slot}, align 64"));
        }
        let lanes = if v { self.width } else { 1 };
        let [a, b, c] = slots;
        self.line(&format!(
            "call void @coexec_apply(ptr %functions, i32 {number}, ptr {a}, ptr {b}, ptr {c}, \
             ptr {out}, i32 {lanes})"
        ));
        let int = self.ty(Ty::Int, v);
        let value = self.ins(&format!("load {int}, ptr {out}, align 64"));
        Ok(self.convert(&value, Ty::Int, ty, v))
    }
}
