//! f16: in registers an f32 with the same value, in memory 16 bits.
//!
//! If the processor has no conversion instruction, a few integer operations convert, since the function that
//! LLVM would call does not exist here.

use super::emit::Emitter;
use crate::cpu::spmd::types::Ty;

impl Emitter<'_> {
    fn of(&self, scalar: &str, vector: bool) -> String {
        if vector { format!("<{} x {scalar}>", self.width) } else { scalar.to_owned() }
    }

    /// The f32 that equals an f16, given as an i16.
    pub(super) fn half_widened(&mut self, bits: &str, vector: bool) -> String {
        let (short, half) = (self.of("i16", vector), self.of("half", vector));
        let (int, float) = (self.ty(Ty::Int, vector), self.ty(Ty::Float, vector));
        if self.features.f16c {
            let bits = self.ins(&format!("bitcast {short} {bits} to {half}"));
            return self.ins(&format!("fpext {half} {bits} to {float}"));
        }
        let number = |this: &mut Self, bits: u32| this.number(bits, Ty::Int, vector);
        let (low, thirteen) = (number(self, 0x7fff), number(self, 13));
        let (exponent, ones) = (number(self, 0x7c00), number(self, 0x7f80_0000));
        let (top, sixteen) = (number(self, 0x8000), number(self, 16));
        let word = self.ins(&format!("zext {short} {bits} to {int}"));
        let size = self.ins(&format!("and {int} {word}, {low}"));
        let moved = self.ins(&format!("shl {int} {size}, {thirteen}"));
        // The exponents differ by 112; the product makes a denormal a normal number.
        let small = self.ins(&format!("bitcast {int} {moved} to {float}"));
        let scale = self.number((2.0f32).powi(112).to_bits(), Ty::Float, vector);
        let scaled = self.ins(&format!("fmul {float} {small}, {scale}"));
        let scaled = self.ins(&format!("bitcast {float} {scaled} to {int}"));
        let beyond = self.ins(&format!("or {int} {moved}, {ones}"));
        let lanes = self.ty(Ty::Bool, vector);
        let special = self.ins(&format!("icmp uge {int} {size}, {exponent}"));
        let result = self.ins(&format!("select {lanes} {special}, {int} {beyond}, {int} {scaled}"));
        let sign = self.ins(&format!("and {int} {word}, {top}"));
        let sign = self.ins(&format!("shl {int} {sign}, {sixteen}"));
        let result = self.ins(&format!("or {int} {result}, {sign}"));
        self.ins(&format!("bitcast {int} {result} to {float}"))
    }

    /// The nearest f16 of an f32, ties to even, as an i16.
    pub(super) fn half_narrowed(&mut self, value: &str, vector: bool) -> String {
        let (short, half) = (self.of("i16", vector), self.of("half", vector));
        let (int, float) = (self.ty(Ty::Int, vector), self.ty(Ty::Float, vector));
        if self.features.f16c {
            let narrow = self.ins(&format!("fptrunc {float} {value} to {half}"));
            return self.ins(&format!("bitcast {half} {narrow} to {short}"));
        }
        let lanes = self.ty(Ty::Bool, vector);
        let number = |this: &mut Self, bits: u32| this.number(bits, Ty::Int, vector);
        let (low, thirteen) = (number(self, 0x7fff_ffff), number(self, 13));
        let (one, sixteen) = (number(self, 1), number(self, 16));
        let word = self.ins(&format!("bitcast {float} {value} to {int}"));
        let size = self.ins(&format!("and {int} {word}, {low}"));
        // A normal number: the exponent less 112, rounded at bit 13.
        let top = self.ins(&format!("lshr {int} {size}, {thirteen}"));
        let odd = self.ins(&format!("and {int} {top}, {one}"));
        let bias = number(self, 0xfff_u32.wrapping_sub(112 << 23));
        let sum = self.ins(&format!("add {int} {size}, {bias}"));
        let sum = self.ins(&format!("add {int} {sum}, {odd}"));
        let normal = self.ins(&format!("lshr {int} {sum}, {thirteen}"));
        // A denormal: added to 0.5, whose last bit has the value of the denormal's last bit.
        let a_half = self.number(0.5f32.to_bits(), Ty::Float, vector);
        let a_half_bits = number(self, 0.5f32.to_bits());
        let positive = self.ins(&format!("bitcast {int} {size} to {float}"));
        let shifted = self.ins(&format!("fadd {float} {positive}, {a_half}"));
        let shifted = self.ins(&format!("bitcast {float} {shifted} to {int}"));
        let denormal = self.ins(&format!("sub {int} {shifted}, {a_half_bits}"));
        let least = number(self, 0x3880_0000);
        let tiny = self.ins(&format!("icmp ult {int} {size}, {least}"));
        let result = self.ins(&format!("select {lanes} {tiny}, {int} {denormal}, {int} {normal}"));
        let (limit, infinite) = (number(self, 0x4780_0000), number(self, 0x7c00));
        let large = self.ins(&format!("icmp uge {int} {size}, {limit}"));
        let result = self.ins(&format!("select {lanes} {large}, {int} {infinite}, {int} {result}"));
        let (infinity, no_number) = (number(self, 0x7f80_0000), number(self, 0x7e00));
        // NaN keeps the upper bits of its payload, as in the processor's own instruction.
        let payload = number(self, 0x3ff);
        let payload = self.ins(&format!("and {int} {top}, {payload}"));
        let no_number = self.ins(&format!("or {int} {no_number}, {payload}"));
        let nan = self.ins(&format!("icmp ugt {int} {size}, {infinity}"));
        let result = self.ins(&format!("select {lanes} {nan}, {int} {no_number}, {int} {result}"));
        let sign = self.ins(&format!("lshr {int} {word}, {sixteen}"));
        let top_bit = number(self, 0x8000);
        let sign = self.ins(&format!("and {int} {sign}, {top_bit}"));
        let result = self.ins(&format!("or {int} {result}, {sign}"));
        self.ins(&format!("trunc {int} {result} to {short}"))
    }

    /// The f32 that equals the nearest f16.
    pub(super) fn half_rounded(&mut self, value: &str, vector: bool) -> String {
        let bits = self.half_narrowed(value, vector);
        self.half_widened(&bits, vector)
    }
}
