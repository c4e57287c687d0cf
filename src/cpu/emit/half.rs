//! f16 conversions by integer operations: every processor has them and gives the same bits.

use super::instructions::{Compare, Instructions};
use crate::cpu::interpreter::functions::Binary as B;
use crate::cpu::spmd::types::Ty;

/// The bits of the nearest f16 as words, ties to even; NaN stays NaN.
pub(in crate::cpu) fn narrowed<I: Instructions>(b: &mut I, x: &I::Lanes, v: bool) -> I::Lanes {
    let bits = b.convert(x, Ty::Float, Ty::Int, v);
    let number = |b: &mut I, bits: u32| b.number(bits, Ty::Int, v);
    let int = |b: &mut I, f: B, x: &I::Lanes, y: &I::Lanes| b.binary(f, x, y, Ty::Int, v);
    let sign_bit = number(b, 1 << 31);
    let sign = int(b, B::And, &bits, &sign_bit);
    let size = int(b, B::AndNot, &bits, &sign_bit);
    // Normal numbers: the exponent is rebiased, and the lost bits are rounded, half to even.
    let (rebias, one) = (number(b, 0xc800_0fff), number(b, 1));
    let top = b.shift_by(B::ShrU, &size, 13, v);
    let odd = int(b, B::And, &top, &one);
    let normal = int(b, B::AddI, &size, &rebias);
    let normal = int(b, B::AddI, &normal, &odd);
    let normal = b.shift_by(B::ShrU, &normal, 13, v);
    // Denormals: an addition aligns the f16's last bit with the f32's, and rounds.
    let (magic, magic_float) = (number(b, 0x3f00_0000), b.number(0x3f00_0000, Ty::Float, v));
    let magnitude = b.convert(&size, Ty::Int, Ty::Float, v);
    let small = b.binary(B::AddF, &magnitude, &magic_float, Ty::Float, v);
    let small = b.convert(&small, Ty::Float, Ty::Int, v);
    let small = int(b, B::SubI, &small, &magic);
    // Large numbers become infinite. NaN keeps the upper bits of its payload, as in the processor's own instruction.
    let infinity = number(b, 0x7f80_0000);
    let (infinite, quiet) = (number(b, 0x7c00), number(b, 0x7e00));
    let payload = number(b, 0x3ff);
    let payload = int(b, B::And, &top, &payload);
    let quiet = int(b, B::Or, &quiet, &payload);
    let nan = b.compare(Compare::LtU, &infinity, &size, v);
    let large = b.select(&nan, &quiet, &infinite, Ty::Int, v);
    let (least, most) = (number(b, 0x3880_0000), number(b, 0x4780_0000));
    let is_small = b.compare(Compare::LtU, &size, &least, v);
    let is_large = b.compare(Compare::LeU, &most, &size, v);
    let half = b.select(&is_small, &small, &normal, Ty::Int, v);
    let half = b.select(&is_large, &large, &half, Ty::Int, v);
    let sign = b.shift_by(B::ShrU, &sign, 16, v);
    int(b, B::Or, &half, &sign)
}

/// The f32 that equals an f16, whose bits are the lower 16 of a word.
pub(in crate::cpu) fn widened<I: Instructions>(b: &mut I, half: &I::Lanes, v: bool) -> I::Lanes {
    let number = |b: &mut I, bits: u32| b.number(bits, Ty::Int, v);
    let int = |b: &mut I, f: B, x: &I::Lanes, y: &I::Lanes| b.binary(f, x, y, Ty::Int, v);
    let (low, high) = (number(b, 0x7fff), number(b, 0x8000));
    let sign = int(b, B::And, half, &high);
    let sign = b.shift_by(B::Shl, &sign, 16, v);
    let size = int(b, B::And, half, &low);
    let size = b.shift_by(B::Shl, &size, 13, v);
    // A product with a power of two corrects the bias and makes denormals normal.
    let scale = b.number(0x7780_0000, Ty::Float, v);
    let float = b.convert(&size, Ty::Int, Ty::Float, v);
    let float = b.binary(B::MulF, &float, &scale, Ty::Float, v);
    let float = b.convert(&float, Ty::Float, Ty::Int, v);
    let (special, infinity) = (number(b, 0x0f80_0000), number(b, 0x7f80_0000));
    let is_special = b.compare(Compare::LeU, &special, &size, v);
    let specials = int(b, B::Or, &size, &infinity);
    let float = b.select(&is_special, &specials, &float, Ty::Int, v);
    let bits = int(b, B::Or, &float, &sign);
    b.convert(&bits, Ty::Int, Ty::Float, v)
}
