//! Logarithms.
//!
//! `x` is `2^e m` with `m` between 2/3 and 4/3: the bits of 2/3, subtracted from the bits of `x`, leave the
//! exponent (a trick of N. Juffa's). With `f = m - 1`, which is exact, `ln m` is `f - f^2 / 2 + f^3 p(f)`, whose
//! relative error near 1 is as small as elsewhere.
//!
//! Source of the polynomials: our own minimax fits (Remez exchange in 40 digits, relative error of the whole
//! function; coefficients rounded to f32 one after the other from the lowest on, the others fitted again each
//! time). Their error is below 2^-27 for `ln` and below 2^-26 for `log2`.

use super::ops::{Float, Word};

/// The bits of 2/3, rounded up.
const TWO_THIRDS: u32 = 0x3f2a_aaab;
/// The bits of 1.
const ONE: u32 = 0x3f80_0000;
const EXPONENT: u32 = 0xff80_0000;
/// The weight of the exponent's lowest bit within the bits, inverted.
const PLACE: f32 = 1.0 / 8_388_608.0;

/// `m` and `e` of a positive number. `m` is between the float with the bits `least` and its double.
#[inline(always)]
pub(super) fn split<F: Float>(x: F, least: u32) -> (F, F) {
    // Denormals are made normal first.
    let small = x.below(f32::MIN_POSITIVE);
    let bits = x.but(small, x * 8_388_608.0).bits();
    let lifted = x.constant(0.0).but(small, -23.0);
    let exponent = (bits - least) & EXPONENT;
    ((bits - exponent).float(), exponent.to_float().mul_add(PLACE, lifted))
}

/// `y`, or the logarithm of `x` if that is infinite or NaN.
#[inline(always)]
fn with_limits<F: Float>(x: F, y: F) -> F {
    let y = x.but(x.below(f32::INFINITY), y);
    let y = y.but(x.equals(0.0), f32::NEG_INFINITY);
    y.but(x.below(0.0), f32::NAN)
}

/// `ln(2^e (1 + f))`.
#[inline(always)]
fn combined<F: Float>(f: F, e: F) -> F {
    let y = f.polynomial(&LOG).mul_add(f * f, f);
    e.mul_add(std::f32::consts::LN_2, y)
}

/// `(ln(1 + f) - f) / f^2` for |f| <= 1/3.
const LOG: [f32; 9] = [
    -0.129_021_08,
    0.139_902_43,
    -0.121_818_2,
    0.140_047_58,
    -0.166_806_56,
    0.200_104_67,
    -0.249_997_94,
    0.333_332_15,
    -0.5,
];

/// The natural logarithm.
#[inline(always)]
pub(in crate::cpu) fn log<F: Float>(x: F) -> F {
    let (m, e) = split(x, TWO_THIRDS);
    with_limits(x, combined(m - 1.0, e))
}

/// The logarithm to base 2.
#[inline(always)]
pub(in crate::cpu) fn log2<F: Float>(x: F) -> F {
    let (m, e) = split(x, TWO_THIRDS);
    let f = m - 1.0;
    with_limits(x, f.polynomial(&LOG2).mul_add(f, e))
}

/// `log2(1 + f) / f` for |f| <= 1/3.
const LOG2: [f32; 10] = [
    -0.177_259_22,
    0.188_100_08,
    -0.177_828_8,
    0.205_179_32,
    -0.240_496_22,
    0.288_464_37,
    -0.360_674_5,
    0.480_901_93,
    -0.721_347_5,
    std::f32::consts::LOG2_E,
];

/// `ln(1 + x)` for x not negative, with a small relative error for tiny x.
#[inline(always)]
pub(super) fn log_1p<F: Float>(x: F) -> F {
    let sum = x + 1.0;
    // The rounding error of the sum.
    let low = x - (sum - 1.0);
    let bits = sum.bits();
    let exponent = (bits - TWO_THIRDS) & EXPONENT;
    // `low` is scaled as the sum is. The factor is zero if the sum is so large that `low` does not matter.
    let scale = (exponent ^ u32::MAX) + (ONE + 1);
    let f = low.mul_add(scale.float(), (bits - exponent).float() - 1.0);
    let y = combined(f, exponent.to_float() * PLACE);
    x.but(x.below(f32::INFINITY), y)
}
