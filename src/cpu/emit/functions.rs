//! Pure operations: scalar functions of one value, or of a gang's.
//!
//! Each gives the same bits as `interpreter::functions`: no contraction, and undefined cases (division, shifts,
//! conversions) are made defined first. A function without a short form calls the Rust function that the interpreter
//! calls, lane by lane.

use super::array::{load_plane, store_plane};
use super::emitter::{Emitter, Mask, Val};
use super::instructions::{Compare, Instructions};
use crate::cpu::compiled::AnyFunction;
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::functions::{Binary, Reg, Ternary, Unary};
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

/// Emits a pure operation.
pub(super) fn pure<I: Instructions>(e: &mut Emitter<'_, I>, op: &Op) -> Result<()> {
    match *op {
        Op::Unary { f: Unary::Copy, dst, a } => return copy(e, dst, a),
        Op::Unary { f, dst, a } => {
            let (lanes, ty) = unary(e, f, a, e.is_vector(dst))?;
            e.define_result(dst, lanes, ty);
        }
        Op::Binary { f, dst, a, b } => {
            match (f, e.kernel.known(a), e.kernel.known(b)) {
                (Binary::AddI, None, Some(more)) => e.sums.insert(dst, (a, more)),
                (Binary::AddI, Some(more), None) => e.sums.insert(dst, (b, more)),
                _ => None,
            };
            let (lanes, ty) = binary(e, f, dst, a, b)?;
            e.define_result(dst, lanes, ty);
        }
        Op::Ternary { f, dst, a, b, c } => {
            let (lanes, ty) = ternary(e, f, dst, [a, b, c])?;
            e.define_result(dst, lanes, ty);
        }
        Op::Index { dst, .. } => {
            e.indices.insert(dst, op.clone());
        }
        Op::Pick { dst, ref planes, index } => {
            let vector = e.is_vector(dst);
            let ty = e.types.of_reg(dst);
            let at = e.get(index, Ty::Int, vector)?;
            let mut picked = e.b.number(0, ty, vector);
            for (k, &plane) in planes.iter().enumerate() {
                let value = e.get(plane, ty, vector)?;
                let number = e.b.number(k as u32, Ty::Int, vector);
                let here = e.b.compare(Compare::Eq, &at, &number, vector);
                picked = e.b.select(&here, &value, &picked, ty, vector);
            }
            e.define_result(dst, picked, ty);
        }
        Op::ArrayLength { dst, binding } => {
            let length = e.args.bindings[binding].length.clone();
            e.define(dst, Val::Scalar(length, Ty::Int));
        }
        _ => return Err(e.broken("not a pure operation")),
    }
    Ok(())
}

/// A copy of a register, or a load or store of a variable.
fn copy<I: Instructions>(e: &mut Emitter<'_, I>, dst: Reg, a: Reg) -> Result<()> {
    if e.kernel.is_variable(dst) {
        return match e.kernel.array_of(dst) {
            Some(array) => store_plane(e, array, dst - array.first, a),
            None => e.store_variable(dst, a),
        };
    }
    let val = if e.kernel.is_variable(a) {
        match e.kernel.array_of(a) {
            Some(array) => load_plane(e, array, a - array.first)?,
            None => e.load_variable(a),
        }
    } else if e.kernel.known(a).is_some() {
        Val::Scalar(e.scalar(a, Ty::Int)?, Ty::Int)
    } else {
        e.val(a)?
    };
    e.define(dst, val);
    Ok(())
}

fn unary<I: Instructions>(
    e: &mut Emitter<'_, I>,
    f: Unary,
    a: Reg,
    v: bool,
) -> Result<(I::Lanes, Ty)> {
    use Unary as U;
    let ty = match f {
        U::Copy => e.types.of_reg(a),
        U::Not if e.types.of_reg(a) == Ty::Bool => Ty::Bool,
        U::BoolToF => Ty::Bool,
        U::Not
        | U::NegI
        | U::AbsI
        | U::SignI
        | U::IToF
        | U::UToF
        | U::NonZeroI
        | U::BoolToI
        | U::FromHBits
        | U::CountOnes
        | U::ReverseBits
        | U::TrailingZeros
        | U::LeadingZeros
        | U::FirstTrailing
        | U::FirstLeadingU
        | U::FirstLeadingI => Ty::Int,
        _ => Ty::Float,
    };
    let short = |e: &mut Emitter<'_, I>, x: &I::Lanes, f: U| match e.b.unary(f, x, v) {
        Some(lanes) => Ok(lanes),
        None => Err(e.broken(&format!("no instruction for {f:?}"))),
    };
    let int = |e: &mut Emitter<'_, I>, bits: u32| e.b.number(bits, Ty::Int, v);
    let float = |e: &mut Emitter<'_, I>, value: f32| e.b.number(value.to_bits(), Ty::Float, v);
    Ok(match f {
        U::Copy => (e.get(a, ty, v)?, ty),
        U::Not => {
            let x = e.get(a, ty, v)?;
            (e.b.not(&x, ty, v), ty)
        }
        U::NegI | U::CountOnes | U::ReverseBits | U::TrailingZeros | U::LeadingZeros => {
            let x = e.get(a, ty, v)?;
            (short(e, &x, f)?, Ty::Int)
        }
        U::NegF
        | U::AbsF
        | U::IToF
        | U::UToF
        | U::Ceil
        | U::Floor
        | U::Trunc
        | U::Round
        | U::Sqrt => {
            let x = e.get(a, ty, v)?;
            (short(e, &x, f)?, Ty::Float)
        }
        U::AbsI => {
            let x = e.get(a, ty, v)?;
            let zero = int(e, 0);
            let minus = short(e, &x, U::NegI)?;
            let negative = e.b.compare(Compare::LtI, &x, &zero, v);
            (e.b.select(&negative, &minus, &x, Ty::Int, v), Ty::Int)
        }
        U::SignI => {
            let x = e.get(a, ty, v)?;
            let (zero, one) = (int(e, 0), int(e, 1));
            let sign = e.b.shift_by(Binary::ShrI, &x, 31, v);
            let positive = e.b.compare(Compare::LtI, &zero, &x, v);
            (e.b.select(&positive, &one, &sign, Ty::Int, v), Ty::Int)
        }
        U::SignF => {
            let x = e.get(a, ty, v)?;
            let (zero, one, minus) = (float(e, 0.0), float(e, 1.0), float(e, -1.0));
            let below = e.b.compare(Compare::LtF, &x, &zero, v);
            let above = e.b.compare(Compare::LtF, &zero, &x, v);
            let low = e.b.select(&below, &minus, &zero, Ty::Float, v);
            (e.b.select(&above, &one, &low, Ty::Float, v), Ty::Float)
        }
        U::FToI | U::FToU | U::HToI | U::HToU => {
            let x = e.get(a, ty, v)?;
            (e.b.truncated(f, &x, v), Ty::Int)
        }
        U::NonZeroI => {
            let (x, zero) = (e.get(a, ty, v)?, int(e, 0));
            (e.b.compare(Compare::Ne, &x, &zero, v), Ty::Bool)
        }
        U::NonZeroF => {
            let (x, zero) = (e.get(a, ty, v)?, float(e, 0.0));
            (e.b.compare(Compare::NeF, &x, &zero, v), Ty::Bool)
        }
        U::BoolToI => {
            let (x, one) = (e.get(a, ty, v)?, int(e, 1));
            (e.b.binary(Binary::And, &x, &one, Ty::Int, v), Ty::Int)
        }
        U::BoolToF => {
            let x = e.get(a, ty, v)?;
            let (one, zero) = (float(e, 1.0), float(e, 0.0));
            (e.b.select(&x, &one, &zero, Ty::Float, v), Ty::Float)
        }
        U::RoundH => {
            let x = e.get(a, ty, v)?;
            let half = e.b.narrowed(&x, v);
            (e.b.widened(&half, v), Ty::Float)
        }
        U::HBits => {
            let x = e.get(a, ty, v)?;
            let half = e.b.narrowed(&x, v);
            (e.b.half_bits(&half, v), Ty::Int)
        }
        U::FromHBits => {
            let x = e.get(a, ty, v)?;
            let half = e.b.half_from_bits(&x, v);
            (e.b.widened(&half, v), Ty::Float)
        }
        U::Fract => {
            let x = e.get(a, ty, v)?;
            let floor = short(e, &x, U::Floor)?;
            (e.b.binary(Binary::SubF, &x, &floor, Ty::Float, v), Ty::Float)
        }
        U::IsNan => {
            let x = e.get(a, ty, v)?;
            (e.b.compare(Compare::Unordered, &x, &x, v), Ty::Bool)
        }
        U::IsInf => {
            let x = e.get(a, ty, v)?;
            let size = short(e, &x, U::AbsF)?;
            let infinity = float(e, f32::INFINITY);
            (e.b.compare(Compare::EqF, &size, &infinity, v), Ty::Bool)
        }
        U::FirstTrailing => {
            let x = e.get(a, ty, v)?;
            let zeros = short(e, &x, U::TrailingZeros)?;
            let (zero, ones) = (int(e, 0), int(e, u32::MAX));
            let none = e.b.compare(Compare::Eq, &x, &zero, v);
            (e.b.select(&none, &ones, &zeros, Ty::Int, v), Ty::Int)
        }
        U::FirstLeadingU | U::FirstLeadingI => {
            let mut x = e.get(a, ty, v)?;
            if f == U::FirstLeadingI {
                let sign = e.b.shift_by(Binary::ShrI, &x, 31, v);
                x = e.b.binary(Binary::Xor, &x, &sign, Ty::Int, v);
            }
            let zeros = short(e, &x, U::LeadingZeros)?;
            let top = int(e, 31);
            (e.b.binary(Binary::SubI, &top, &zeros, Ty::Int, v), Ty::Int)
        }
        _ => {
            if f == U::InverseSqrtGuess {
                let x = e.get(a, ty, v)?;
                if let Some(guess) = e.b.unary(f, &x, v) {
                    return Ok((guess, Ty::Float));
                }
            }
            let ty = if f == U::FrexpExponent { Ty::Int } else { Ty::Float };
            (e.call(AnyFunction::Unary(f), &[a], ty, v)?, ty)
        }
    })
}

fn binary<I: Instructions>(
    e: &mut Emitter<'_, I>,
    f: Binary,
    dst: Reg,
    a: Reg,
    b: Reg,
) -> Result<(I::Lanes, Ty)> {
    use Binary as B;
    let v = e.is_vector(dst);
    let compare = match f {
        B::EqF => Some(Compare::EqF),
        B::NeF => Some(Compare::NeF),
        B::LtF => Some(Compare::LtF),
        B::LeF => Some(Compare::LeF),
        B::EqI => Some(Compare::Eq),
        B::NeI => Some(Compare::Ne),
        B::LtI => Some(Compare::LtI),
        B::LeI => Some(Compare::LeI),
        B::LtU => Some(Compare::LtU),
        B::LeU => Some(Compare::LeU),
        _ => None,
    };
    if let Some(how) = compare {
        let float = matches!(f, B::EqF | B::NeF | B::LtF | B::LeF);
        let ty = if float { Ty::Float } else { Ty::Int };
        let (x, y) = (e.get(a, ty, v)?, e.get(b, ty, v)?);
        return Ok((e.b.compare(how, &x, &y, v), Ty::Bool));
    }
    let ty = match f {
        B::AddI | B::SubI | B::MulI | B::MinI | B::MaxI | B::MinU | B::MaxU => Ty::Int,
        B::And | B::Or | B::Xor | B::AndNot if e.types.of_reg(dst) == Ty::Bool => Ty::Bool,
        B::And | B::Or | B::Xor | B::AndNot => Ty::Int,
        B::DivI | B::RemI | B::DivU | B::RemU => return Ok((divide(e, f, a, b, v)?, Ty::Int)),
        B::Shl | B::ShrU | B::ShrI => {
            let x = e.get(a, Ty::Int, v)?;
            let shifted = if !v || e.is_uniform(b) || e.kernel.known(b).is_some() {
                let by = e.scalar(b, Ty::Int)?;
                e.b.shift_all(f, &x, &by, v)
            } else {
                let by = e.vector(b, Ty::Int)?;
                e.b.shift_each(f, &x, &by)
            };
            return Ok((shifted, Ty::Int));
        }
        B::AddF | B::SubF | B::MulF | B::DivF | B::MinF | B::MaxF | B::StepF => Ty::Float,
        _ => return Ok((e.call(AnyFunction::Binary(f), &[a, b], Ty::Float, v)?, Ty::Float)),
    };
    let (x, y) = (e.get(a, ty, v)?, e.get(b, ty, v)?);
    let lanes = match f {
        B::MinF | B::MaxF => extreme(&mut e.b, f, &x, &y, v),
        B::StepF => {
            let reached = e.b.compare(Compare::LeF, &x, &y, v);
            let one = e.b.number(1.0f32.to_bits(), Ty::Float, v);
            let zero = e.b.number(0, Ty::Float, v);
            e.b.select(&reached, &one, &zero, Ty::Float, v)
        }
        _ => e.b.binary(f, &x, &y, ty, v),
    };
    Ok((lanes, ty))
}

/// The lesser or the greater of two floats; if one is a NaN, the other.
pub(super) fn extreme<I: Instructions>(
    b: &mut I,
    f: Binary,
    x: &I::Lanes,
    y: &I::Lanes,
    v: bool,
) -> I::Lanes {
    // This form becomes one instruction.
    let first = if f == Binary::MinF {
        b.compare(Compare::LtF, x, y, v)
    } else {
        b.compare(Compare::LtF, y, x, v)
    };
    let picked = b.select(&first, x, y, Ty::Float, v);
    let nan = b.compare(Compare::Unordered, y, y, v);
    b.select(&nan, x, &picked, Ty::Float, v)
}

/// A quotient or remainder. By zero, and where a quotient overflows, the divisor is one.
fn divide<I: Instructions>(
    e: &mut Emitter<'_, I>,
    f: Binary,
    a: Reg,
    b: Reg,
    v: bool,
) -> Result<I::Lanes> {
    let mut x = e.get(a, Ty::Int, v)?;
    if let Some(by) = e.kernel.known(b).filter(|&by| by != 0 && by != u32::MAX) {
        return Ok(e.b.divide_by(f, &x, by, v));
    }
    let mut y = e.get(b, Ty::Int, v)?;
    if I::UNDEFINED_LANES {
        // An inactive lane may hold an undefined value, which differs at each use: a test for zero would prove
        // nothing about the division.
        (x, y) = (e.b.frozen(&x, v), e.b.frozen(&y, v));
    }
    let (one, zero) = (e.b.number(1, Ty::Int, v), e.b.number(0, Ty::Int, v));
    let mut bad = e.b.compare(Compare::Eq, &y, &zero, v);
    if matches!(f, Binary::DivI | Binary::RemI) {
        let least = e.b.number(1 << 31, Ty::Int, v);
        let ones = e.b.number(u32::MAX, Ty::Int, v);
        let least = e.b.compare(Compare::Eq, &x, &least, v);
        let minus = e.b.compare(Compare::Eq, &y, &ones, v);
        let overflow = e.b.binary(Binary::And, &least, &minus, Ty::Bool, v);
        bad = e.b.binary(Binary::Or, &bad, &overflow, Ty::Bool, v);
    }
    // LLVM 15 drops the `freeze` of registers that hold no lane of the gang.
    if I::UNDEFINED_LANES
        && v
        && let Mask::Some(exists) = e.exists.clone()
    {
        let absent = e.b.not(&exists, Ty::Bool, true);
        bad = e.b.binary(Binary::Or, &bad, &absent, Ty::Bool, true);
    }
    y = e.b.select(&bad, &one, &y, Ty::Int, v);
    Ok(e.b.binary(f, &x, &y, Ty::Int, v))
}

fn ternary<I: Instructions>(
    e: &mut Emitter<'_, I>,
    f: Ternary,
    dst: Reg,
    args: [Reg; 3],
) -> Result<(I::Lanes, Ty)> {
    let v = e.is_vector(dst);
    let [a, b, c] = args;
    if f == Ternary::Select {
        let bits = e.types.of_reg(c) != Ty::Bool;
        let ty = if bits { Ty::Int } else { e.types.of_reg(dst) };
        let (x, y) = (e.get(a, ty, v)?, e.get(b, ty, v)?);
        if bits {
            let z = e.get(c, Ty::Int, v)?;
            let yes = e.b.binary(Binary::And, &x, &z, ty, v);
            let no = e.b.binary(Binary::AndNot, &y, &z, ty, v);
            return Ok((e.b.binary(Binary::Or, &yes, &no, ty, v), ty));
        }
        if v && e.is_uniform(c) {
            let condition = e.scalar(c, Ty::Bool)?;
            return Ok((e.b.select_all(&condition, &x, &y, ty), ty));
        }
        let condition = e.get(c, Ty::Bool, v)?;
        return Ok((e.b.select(&condition, &x, &y, ty, v), ty));
    }
    if f == Ternary::FmaF {
        let (x, y) = (e.get(a, Ty::Float, v)?, e.get(b, Ty::Float, v)?);
        let z = e.get(c, Ty::Float, v)?;
        if let Some(sum) = e.b.fma([&x, &y], &z, v) {
            return Ok((sum, Ty::Float));
        }
    }
    Ok((e.call(AnyFunction::Ternary(f), &args, Ty::Float, v)?, Ty::Float))
}
