//! The arithmetic in which the functions are written, for one value or for generated code.
//!
//! A function is written once, generically over [`Float`]. The interpreter instantiates it on [`Lane`], one
//! value that is computed at once. `spmd::expand` instantiates it on a value of a kernel, where each operation
//! appends one to the kernel's code. Every operation is exact or rounded once as in IEEE 754, so the bits agree
//! in all engines by construction.
//!
//! [`Float::mul_add`] differs between machines: it rounds once on a processor with a fused multiply-add, and
//! twice on one without, where a fused one would be a slow library call. All engines of one machine do the same,
//! and both variants are within the tested bounds. Measured on a machine with AVX2, fusing saves a third of the
//! instructions of a polynomial.

use std::ops::{Add, BitAnd, BitOr, BitXor, Div, Mul, Neg, Not, Shl, Shr, Sub};

/// An f32. Operators take another one or a constant.
pub(in crate::cpu) trait Float:
    Copy
    + Operand<Self>
    + Neg<Output = Self>
    + Add<Output = Self>
    + Add<f32, Output = Self>
    + Sub<Output = Self>
    + Sub<f32, Output = Self>
    + Mul<Output = Self>
    + Mul<f32, Output = Self>
    + Div<Output = Self>
{
    type Word: Word<Float = Self, Truth = Self::Truth>;
    type Truth: Truth;

    /// A constant of the same kind as `self`.
    fn constant(self, value: f32) -> Self;
    /// Whether [`Float::mul_add`] rounds once.
    fn fused(self) -> bool;
    /// `self * factor + addend`, rounded once. Called only if that is fast.
    fn fma(self, factor: Self, addend: Self) -> Self;
    fn abs(self) -> Self;
    fn sqrt(self) -> Self;
    /// The guess of the processor's own instruction. Called only if `guess::host_has_guess`.
    fn inverse_sqrt_guess(self) -> Self;
    /// Rounded towards zero.
    fn trunc(self) -> Self;
    /// False if one is NaN, as for all comparisons.
    fn below(self, bound: impl Operand<Self>) -> Self::Truth;
    fn at_most(self, bound: impl Operand<Self>) -> Self::Truth;
    fn equals(self, other: impl Operand<Self>) -> Self::Truth;
    /// `self`, or `value` if the condition holds.
    fn but(self, condition: Self::Truth, value: impl Operand<Self>) -> Self;
    fn bits(self) -> Self::Word;

    /// `self * factor + addend`, rounded once or twice.
    #[inline(always)]
    fn mul_add(self, factor: impl Operand<Self>, addend: impl Operand<Self>) -> Self {
        let (factor, addend) = (factor.like(self), addend.like(self));
        if self.fused() { self.fma(factor, addend) } else { self * factor + addend }
    }

    /// A polynomial of `self` by Horner's rule, the highest coefficient first.
    #[inline(always)]
    fn polynomial(self, coefficients: &[f32]) -> Self {
        let (first, rest) = coefficients.split_first().unwrap_or((&0.0, &[]));
        rest.iter().fold(self.constant(*first), |sum, &c| sum.mul_add(self, c))
    }

    /// The product and its rounding error, both exact short of underflow and overflow.
    #[inline(always)]
    fn product(self, factor: Self) -> (Self, Self) {
        let product = self * factor;
        if self.fused() {
            return (product, self.fma(factor, -product));
        }
        // Dekker's product: the halves have 12 bits each, so their products are exact.
        let halves = |x: Self| {
            let high = (x.bits() & 0xffff_f000).float();
            (high, x - high)
        };
        let ((a, b), (c, d)) = (halves(self), halves(factor));
        (product, ((a * c - product) + a * d + b * c) + b * d)
    }

    /// At most the bound; NaN stays.
    #[inline(always)]
    fn cap(self, bound: f32) -> Self {
        let above = self.constant(bound).below(self);
        self.but(above, bound)
    }

    /// At least the bound; NaN stays.
    #[inline(always)]
    fn floor_at(self, bound: f32) -> Self {
        self.but(self.below(bound), bound)
    }

    /// `self`, which is not negative, with the sign of `other`.
    #[inline(always)]
    fn signed_as(self, other: Self) -> Self {
        (self.bits() ^ (other.bits() & SIGN)).float()
    }
}

/// The sign bit.
pub(in crate::cpu) const SIGN: u32 = 0x8000_0000;

/// 32 bits, wrapping.
pub(in crate::cpu) trait Word:
    Copy
    + Add<Output = Self>
    + Add<u32, Output = Self>
    + Sub<Output = Self>
    + Sub<u32, Output = Self>
    + BitAnd<u32, Output = Self>
    + BitXor<Output = Self>
    + BitXor<u32, Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
{
    type Float;
    type Truth;

    fn is_zero(self) -> Self::Truth;
    /// The float of these bits.
    fn float(self) -> Self::Float;
    /// The value of an i32, rounded.
    fn to_float(self) -> Self::Float;
}

/// A truth value.
pub(in crate::cpu) trait Truth:
    Copy + BitAnd<Output = Self> + BitOr<Output = Self> + Not<Output = Self>
{
}

/// A float or a constant.
pub(in crate::cpu) trait Operand<F> {
    /// The operand as a value of the same kind as `other`.
    fn like(self, other: F) -> F;
}

impl<F: Float> Operand<F> for f32 {
    #[inline(always)]
    fn like(self, other: F) -> F {
        other.constant(self)
    }
}

/// One value, computed at once.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Lane<const FUSED: bool>(pub(in crate::cpu) f32);

/// The bits of one value.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct LaneBits<const FUSED: bool>(pub(in crate::cpu) u32);

impl<const FUSED: bool> Operand<Self> for Lane<FUSED> {
    #[inline(always)]
    fn like(self, _: Self) -> Self {
        self
    }
}

macro_rules! lane_operators {
    ($type:ident, $with:ty: $($trait:ident $method:ident = |$a:ident, $b:ident| $value:expr;)*) => {$(
        impl<const FUSED: bool> $trait for $type<FUSED> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                let ($a, $b) = (self.0, other.0);
                $type($value)
            }
        }

        impl<const FUSED: bool> $trait<$with> for $type<FUSED> {
            type Output = Self;
            #[inline(always)]
            fn $method(self, other: $with) -> Self {
                $trait::$method(self, $type(other))
            }
        }
    )*};
}

lane_operators! { Lane, f32:
    Add add = |a, b| a + b;
    Sub sub = |a, b| a - b;
    Mul mul = |a, b| a * b;
    Div div = |a, b| a / b;
}

lane_operators! { LaneBits, u32:
    Add add = |a, b| a.wrapping_add(b);
    Sub sub = |a, b| a.wrapping_sub(b);
    BitAnd bitand = |a, b| a & b;
    BitXor bitxor = |a, b| a ^ b;
    Shl shl = |a, b| a << b;
    Shr shr = |a, b| a >> b;
}

impl<const FUSED: bool> Neg for Lane<FUSED> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Lane(-self.0)
    }
}

impl Truth for bool {}

impl<const FUSED: bool> Word for LaneBits<FUSED> {
    type Float = Lane<FUSED>;
    type Truth = bool;

    #[inline(always)]
    fn is_zero(self) -> bool {
        self.0 == 0
    }
    #[inline(always)]
    fn float(self) -> Lane<FUSED> {
        Lane(f32::from_bits(self.0))
    }
    #[inline(always)]
    fn to_float(self) -> Lane<FUSED> {
        Lane(self.0 as i32 as f32)
    }
}

impl<const FUSED: bool> Float for Lane<FUSED> {
    type Word = LaneBits<FUSED>;
    type Truth = bool;

    #[inline(always)]
    fn constant(self, value: f32) -> Self {
        Lane(value)
    }
    #[inline(always)]
    fn fused(self) -> bool {
        FUSED
    }
    #[inline(always)]
    fn fma(self, factor: Self, addend: Self) -> Self {
        Lane(self.0.mul_add(factor.0, addend.0))
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Lane(self.0.abs())
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Lane(self.0.sqrt())
    }
    #[inline(always)]
    fn inverse_sqrt_guess(self) -> Self {
        Lane(super::guess::guess(self.0))
    }
    #[inline(always)]
    fn trunc(self) -> Self {
        Lane(self.0.trunc())
    }
    #[inline(always)]
    fn below(self, bound: impl Operand<Self>) -> bool {
        self.0 < bound.like(self).0
    }
    #[inline(always)]
    fn at_most(self, bound: impl Operand<Self>) -> bool {
        self.0 <= bound.like(self).0
    }
    #[inline(always)]
    fn equals(self, other: impl Operand<Self>) -> bool {
        self.0 == other.like(self).0
    }
    #[inline(always)]
    fn but(self, condition: bool, value: impl Operand<Self>) -> Self {
        if condition { value.like(self) } else { self }
    }
    #[inline(always)]
    fn bits(self) -> LaneBits<FUSED> {
        LaneBits(self.0.to_bits())
    }
}
