//! Powers of e and of 2.
//!
//! `x` is split into `n ln 2 + r` (Cody and Waite: `ln 2` in two parts, of which the first times `n` is exact).
//! The result `2^n e^r` is rounded once, denormal results too. Adding 1.5 * 2^23, whose last place is 1, rounds
//! to the nearest integer; a further addend makes the low bits of the sum an exponent. Arguments whose result is
//! too small for an f32 are replaced by 0 in between, because processors take a hundred times as long for a
//! product that underflows.
//!
//! Source of the polynomials: our own minimax fits (Remez exchange in 40 digits, relative error of the whole
//! function; coefficients rounded to f32 one after the other from the lowest on, the others fitted again each
//! time). Their error is below 2^-28 for `e^r` and below 2^-26 for `2^r`.

use super::ops::{Float, Word};

/// A number whose last place is 1. The sum of it and `n` has `n + 254` in its low bits.
const NEAREST: f32 = 12_582_912.0 + 254.0;
/// ln 2 in two parts; the first has 9 bits.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// `y * 2^n` for `-150 <= n <= 129` and `y` about 1, where the low bits of `shifted` are `n + 254`.
#[inline(always)]
fn scaled<F: Float>(y: F, shifted: F) -> F {
    // Two steps keep each factor normal.
    let half = shifted.bits() >> 1;
    let rest = shifted.bits() - half;
    y * (half << 23).float() * (rest << 23).float()
}

/// `e^x / 2^lowered` for -104 <= x <= 89 + lowered.
#[inline(always)]
fn exp_of<F: Float>(x: F, lowered: f32) -> F {
    let nearest = x.constant(NEAREST - lowered);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, nearest);
    let n = shifted - nearest;
    let r = n.mul_add(-LN2_HIGH, x);
    let r = n.mul_add(-LN2_LOW, r);
    let p = r.polynomial(&EXP);
    let y = p.mul_add(r * r, r) + 1.0;
    scaled(y, shifted)
}

/// `(e^r - 1 - r) / r^2` for |r| <= 0.35.
const EXP: [f32; 5] = [1.384_671_7e-3, 8.369_98e-3, 4.166_801e-2, 0.166_665_09, 0.499_999_94];

/// e to the power of `x`.
#[inline(always)]
pub(in crate::cpu) fn exp<F: Float>(x: F) -> F {
    let none = x.below(-104.0);
    exp_of(x.but(none, 0.0).cap(89.0), 0.0).but(none, 0.0)
}

/// Half of e to the power of `x`, for `x` not negative. It is finite for slightly larger `x` than `exp`.
#[inline(always)]
pub(super) fn half_exp<F: Float>(x: F) -> F {
    exp_of(x.cap(90.0), 1.0)
}

/// 2 to the power of `x`.
#[inline(always)]
pub(in crate::cpu) fn exp2<F: Float>(x: F) -> F {
    let none = x.below(-150.0);
    let x = x.but(none, 0.0).cap(129.0);
    let shifted = x + NEAREST;
    exp2_of(x - (shifted - NEAREST), shifted).but(none, 0.0)
}

/// 2 to the power of `x + low` for a tiny `low`.
#[inline(always)]
pub(super) fn exp2_sum<F: Float>(x: F, low: F) -> F {
    let none = x.below(-151.0);
    let x = x.but(none, 0.0).cap(129.0);
    let shifted = x + NEAREST;
    exp2_of(x - (shifted - NEAREST) + low, shifted).but(none, 0.0)
}

#[inline(always)]
fn exp2_of<F: Float>(r: F, shifted: F) -> F {
    scaled(r.polynomial(&EXP2).mul_add(r, 1.0), shifted)
}

/// `(2^r - 1) / r` for |r| <= 1/2.
const EXP2: [f32; 6] =
    [1.693_699_5e-4, 1.342_336_3e-3, 9.612_957e-3, 5.550_26e-2, 0.240_226_9, 0.693_147_24];
