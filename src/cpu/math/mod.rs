//! The numeric functions of WGSL for one scalar, as every CPU engine computes them.
//!
//! Each function is deterministic Rust: the same on all machines with fused multiply-add, and the same on all
//! without. It is defined for every input, NaN and infinities included, and keeps denormals. Functions that are
//! no single operation are polynomials, in a file for each family, written once for the interpreter and for
//! compiled code (`ops`). They are off by at most 4 units in the last place for every finite input. f16 has no
//! functions of its own: an f16 value is held as the f32 that equals it, and [`round_f16`] follows each
//! operation (exact for + - * / and sqrt, because 24 bits are more than twice 11 bits plus two). Vectors and
//! matrices are left to the callers.

pub(in crate::cpu) mod guess;

pub(in crate::cpu) mod ops;

pub(in crate::cpu) mod exponential;
pub(in crate::cpu) mod inverse_trigonometric;
pub(in crate::cpu) mod logarithm;
pub(in crate::cpu) mod remainder;
pub(in crate::cpu) mod root;
pub(in crate::cpu) mod scaling;
pub(in crate::cpu) mod trigonometric;

pub(in crate::cpu) mod hyperbolic;
pub(in crate::cpu) mod power;

#[cfg(test)]
mod accuracy_tests;

use half::f16;

/// The nearest f16, ties to even, as the f32 that equals it. Too large values become infinity.
#[inline(always)]
pub(crate) fn round_f16(x: f32) -> f32 {
    f16::from_f32(x).to_f32()
}

/// `x * y + z` of three f16 values, rounded once to f16.
#[inline(always)]
pub(crate) fn fma_f16(x: f32, y: f32, z: f32) -> f32 {
    // The product is exact in f64, and the sum's 53 bits leave no visible double rounding.
    f16::from_f64(f64::from(x) * f64::from(y) + f64::from(z)).to_f32()
}

/// The bits of the f16 that a (rounded) f32 equals.
#[inline(always)]
pub(crate) fn f16_bits(x: f32) -> u32 {
    u32::from(f16::from_f32(x).to_bits())
}

/// The f32 that equals the f16 in the low 16 bits.
#[inline(always)]
pub(crate) fn from_f16_bits(bits: u32) -> f32 {
    f16::from_bits(bits as u16).to_f32()
}

/// `x * y + z`, rounded once.
#[inline(always)]
pub(crate) fn fma(x: f32, y: f32, z: f32) -> f32 {
    x.mul_add(y, z)
}

/// The lesser. If one is NaN, the other; of two zeros, the second.
#[inline(always)]
pub(crate) fn min(x: f32, y: f32) -> f32 {
    if y.is_nan() || x < y { x } else { y }
}

/// The greater. If one is NaN, the other; of two zeros, the second.
#[inline(always)]
pub(crate) fn max(x: f32, y: f32) -> f32 {
    if y.is_nan() || x > y { x } else { y }
}

/// -1, 0 or 1; 0 for NaN.
#[inline(always)]
pub(crate) fn sign(x: f32) -> f32 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// 1 if `edge <= x`, else 0.
#[inline(always)]
pub(crate) fn step(edge: f32, x: f32) -> f32 {
    if edge <= x { 1.0 } else { 0.0 }
}

#[inline(always)]
pub(crate) fn floor(x: f32) -> f32 {
    x.floor()
}

#[inline(always)]
pub(crate) fn ceil(x: f32) -> f32 {
    x.ceil()
}

#[inline(always)]
pub(crate) fn trunc(x: f32) -> f32 {
    x.trunc()
}

/// Rounded to the nearest integer, ties to even.
#[inline(always)]
pub(crate) fn round(x: f32) -> f32 {
    x.round_ties_even()
}

/// `x - floor(x)`. For tiny negative numbers it is 1, as by WGSL's formula.
#[inline(always)]
pub(crate) fn fract(x: f32) -> f32 {
    x - x.floor()
}

#[inline(always)]
pub(crate) fn sqrt(x: f32) -> f32 {
    x.sqrt()
}

/// Instantiates functions that are generic over `Float` for one lane.
macro_rules! of_one_lane {
    ($($name:ident = $family:ident($($x:ident),+);)*) => {$(
        #[inline(always)]
        pub(crate) fn $name<const FUSED: bool>($($x: f32),+) -> f32 {
            $family::$name($(ops::Lane::<FUSED>($x)),+).0
        }
    )*};
}

of_one_lane! {
    exp = exponential(x);
    exp2 = exponential(x);
    log = logarithm(x);
    log2 = logarithm(x);
    pow = power(x, y);
    asin = inverse_trigonometric(x);
    acos = inverse_trigonometric(x);
    atan = inverse_trigonometric(x);
    atan2 = inverse_trigonometric(y, x);
    sinh = hyperbolic(x);
    cosh = hyperbolic(x);
    tanh = hyperbolic(x);
    asinh = hyperbolic(x);
    acosh = hyperbolic(x);
    atanh = hyperbolic(x);
    frexp_fract = scaling(x);
}

/// `x * 2^n`, rounded once.
#[inline(always)]
pub(crate) fn ldexp<const FUSED: bool>(x: f32, n: u32) -> f32 {
    scaling::ldexp(ops::Lane::<FUSED>(x), ops::LaneBits(n)).0
}

/// The exponent that belongs to [`frexp_fract`].
#[inline(always)]
pub(crate) fn frexp_exponent<const FUSED: bool>(x: f32) -> u32 {
    scaling::frexp_exponent(ops::Lane::<FUSED>(x)).0
}

pub(in crate::cpu) use guess::guess as inverse_sqrt_guess;
pub(crate) use remainder::rem;
#[cfg(target_arch = "x86_64")]
pub(in crate::cpu) use root::guesses as inverse_sqrt_guesses;
pub(crate) use root::inverse_sqrt;
pub(crate) use trigonometric::{cos, sin, tan};

/// Truncates, and clamps to the f32 values that an i32 can hold (WGSL's rule: at most 2147483520). NaN gives 0.
#[inline(always)]
pub(crate) fn to_i32(x: f32) -> i32 {
    min(x, 2_147_483_520.0) as i32 * i32::from(!x.is_nan())
}

/// Truncates, and clamps to the f32 values that a u32 can hold (at most 4294967040). NaN gives 0.
#[inline(always)]
pub(crate) fn to_u32(x: f32) -> u32 {
    min(x, 4_294_967_040.0) as u32 * u32::from(!x.is_nan())
}

/// The same for an f16 value, clamped to f16's finite range.
#[inline(always)]
pub(crate) fn f16_to_i32(x: f32) -> i32 {
    if x.is_nan() { 0 } else { x.clamp(-65504.0, 65504.0) as i32 }
}

/// The same for an f16 value, clamped to f16's finite range.
#[inline(always)]
pub(crate) fn f16_to_u32(x: f32) -> u32 {
    if x.is_nan() { 0 } else { x.clamp(0.0, 65504.0) as u32 }
}

/// The nearest f16 to an integer, rounded once.
#[inline(always)]
pub(crate) fn int_to_f16(x: i64) -> f32 {
    f16::from_f64(x as f64).to_f32()
}

/// The quotient, with `x / 0 = x` and `MIN / -1 = MIN`.
#[inline(always)]
pub(crate) fn div_i32(x: i32, y: i32) -> i32 {
    if y == 0 { x } else { x.wrapping_div(y) }
}

/// The remainder, with `x % 0 = 0` and `MIN % -1 = 0`.
#[inline(always)]
pub(crate) fn rem_i32(x: i32, y: i32) -> i32 {
    if y == 0 { 0 } else { x.wrapping_rem(y) }
}

/// The quotient, with `x / 0 = x`.
#[inline(always)]
pub(crate) fn div_u32(x: u32, y: u32) -> u32 {
    x.checked_div(y).unwrap_or(x)
}

/// The remainder, with `x % 0 = 0`.
#[inline(always)]
pub(crate) fn rem_u32(x: u32, y: u32) -> u32 {
    x.checked_rem(y).unwrap_or(0)
}

/// The position of the highest one bit, or all ones.
#[inline(always)]
pub(crate) fn first_leading_u32(x: u32) -> u32 {
    31u32.wrapping_sub(x.leading_zeros())
}

/// The position of the highest bit that differs from the sign, or all ones.
#[inline(always)]
pub(crate) fn first_leading_i32(x: i32) -> u32 {
    first_leading_u32((x ^ (x >> 31)) as u32)
}

/// The position of the lowest one bit, or all ones.
#[inline(always)]
pub(crate) fn first_trailing(x: u32) -> u32 {
    if x == 0 { u32::MAX } else { x.trailing_zeros() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minimum_and_maximum_ignore_one_nan() {
        assert_eq!(min(f32::NAN, 2.0), 2.0);
        assert_eq!(min(2.0, f32::NAN), 2.0);
        assert_eq!(max(f32::NAN, 2.0), 2.0);
        assert_eq!(max(2.0, f32::NAN), 2.0);
        assert!(min(f32::NAN, f32::NAN).is_nan());
    }

    #[test]
    fn conversions_to_integers_clamp_to_what_the_float_can_hold() {
        assert_eq!(to_i32(3e9), 2_147_483_520);
        assert_eq!(to_i32(-3e9), i32::MIN);
        assert_eq!(to_i32(-1.9), -1);
        assert_eq!(to_u32(1e10), 4_294_967_040);
        assert_eq!(to_u32(-1.0), 0);
        assert_eq!((to_i32(f32::NAN), to_u32(f32::NAN)), (0, 0));
        assert_eq!(f16_to_i32(f32::INFINITY), 65504);
    }

    #[test]
    fn leading_bits_follow_the_sign() {
        assert_eq!(first_leading_i32(0), u32::MAX);
        assert_eq!(first_leading_i32(-1), u32::MAX);
        assert_eq!(first_leading_i32(-2), 0);
        assert_eq!(first_leading_i32(0x40), 6);
        assert_eq!(first_leading_u32(0x8000_0000), 31);
        assert_eq!(first_leading_u32(0), u32::MAX);
    }

    #[test]
    fn division_never_traps() {
        assert_eq!(div_i32(i32::MIN, -1), i32::MIN);
        assert_eq!(rem_i32(i32::MIN, -1), 0);
        assert_eq!((div_i32(7, 0), rem_i32(7, 0)), (7, 0));
        assert_eq!((div_u32(7, 0), rem_u32(7, 0)), (7, 0));
    }
}
