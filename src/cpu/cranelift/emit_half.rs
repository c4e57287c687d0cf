//! f16 conversions by integer operations: every processor has them and gives the same bits.

use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::condcodes::IntCC;

use super::emit::{Emitter, Lanes};
use crate::cpu::spmd::types::Ty;

impl Emitter<'_, '_> {
    /// The bits of the nearest f16, ties to even; NaN stays NaN.
    pub(super) fn half_narrowed(&mut self, x: &Lanes, v: bool) -> Lanes {
        let bits = self.convert(x, Ty::Float, Ty::Int, v);
        let number = |this: &mut Self, bits: u32| this.number(bits, Ty::Int, v);
        let sign_bit = number(self, 1 << 31);
        let sign = self.and(&bits, &sign_bit);
        let size = self.and_not(&bits, &sign_bit);
        // Normal numbers: the exponent is rebiased, and the lost bits are rounded, half to even.
        let (rebias, one) = (number(self, 0xc800_0fff), number(self, 1));
        let top = self.map(&size, |b, x| b.ins().ushr_imm_u(x, 13));
        let odd = self.and(&top, &one);
        let normal = self.zip(&size, &rebias, |b, x, y| b.ins().iadd(x, y));
        let normal = self.zip(&normal, &odd, |b, x, y| b.ins().iadd(x, y));
        let normal = self.map(&normal, |b, x| b.ins().ushr_imm_u(x, 13));
        // Denormals: an addition aligns the f16's last bit with the f32's, and rounds.
        let magic = number(self, 0x3f00_0000);
        let (magnitude, magic_float) =
            (self.convert(&size, Ty::Int, Ty::Float, v), self.float(0.5, v));
        let small = self.zip(&magnitude, &magic_float, |b, x, y| b.ins().fadd(x, y));
        let small = self.convert(&small, Ty::Float, Ty::Int, v);
        let small = self.zip(&small, &magic, |b, x, y| b.ins().isub(x, y));
        // Large numbers become infinite; NaN stays NaN.
        let infinity = number(self, 0x7f80_0000);
        let (infinite, quiet) = (number(self, 0x7c00), number(self, 0x7e00));
        // NaN keeps the upper bits of its payload, as in the processor's own instruction.
        let payload = number(self, 0x3ff);
        let payload = self.and(&top, &payload);
        let quiet = self.zip(&quiet, &payload, |b, x, y| b.ins().bor(x, y));
        let nan = self.icmp(IntCC::UnsignedGreaterThan, &size, &infinity);
        let large = self.select(&nan, &quiet, &infinite, v);
        let (least, most) = (number(self, 0x3880_0000), number(self, 0x4780_0000));
        let is_small = self.icmp(IntCC::UnsignedLessThan, &size, &least);
        let is_large = self.icmp(IntCC::UnsignedGreaterThanOrEqual, &size, &most);
        let half = self.select(&is_small, &small, &normal, v);
        let half = self.select(&is_large, &large, &half, v);
        let sign = self.map(&sign, |b, x| b.ins().ushr_imm_u(x, 16));
        self.zip(&half, &sign, |b, x, y| b.ins().bor(x, y))
    }

    /// The f32 that equals an f16, given in the lower 16 bits.
    pub(super) fn half_widened(&mut self, half: &Lanes, v: bool) -> Lanes {
        let (low, high) = (self.number(0x7fff, Ty::Int, v), self.number(0x8000, Ty::Int, v));
        let sign = self.and(half, &high);
        let sign = self.map(&sign, |b, x| b.ins().ishl_imm_u(x, 16));
        let size = self.and(half, &low);
        let size = self.map(&size, |b, x| b.ins().ishl_imm_u(x, 13));
        // A product with a power of two corrects the bias and makes denormals normal.
        let scale = self.number(0x7780_0000, Ty::Float, v);
        let float = self.convert(&size, Ty::Int, Ty::Float, v);
        let float = self.zip(&float, &scale, |b, x, y| b.ins().fmul(x, y));
        let float = self.convert(&float, Ty::Float, Ty::Int, v);
        let (special, infinity) =
            (self.number(0x0f80_0000, Ty::Int, v), self.number(0x7f80_0000, Ty::Int, v));
        let is_special = self.icmp(IntCC::UnsignedGreaterThanOrEqual, &size, &special);
        let specials = self.zip(&size, &infinity, |b, x, y| b.ins().bor(x, y));
        let float = self.select(&is_special, &specials, &float, v);
        let bits = self.zip(&float, &sign, |b, x, y| b.ins().bor(x, y));
        self.convert(&bits, Ty::Int, Ty::Float, v)
    }
}
