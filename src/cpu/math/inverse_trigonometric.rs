//! Arc functions.
//!
//! The arc sine is an odd polynomial up to 1/2, and `pi/2 - 2 asin(sqrt((1 - x) / 2))` above. The arc cosine
//! comes from the same two. Outside of -1 to 1 the root gives NaN. The arc tangent is an odd polynomial of the
//! lesser of two numbers over the greater.
//!
//! Source of the polynomials: our own minimax fits (Remez exchange in 40 digits, relative error of the whole
//! function; coefficients rounded to f32 one after the other from the lowest on, the others fitted again each
//! time). Their error is below 2^-27 for the arc sine and below 2^-28 for the arc tangent.

use std::f32::consts::{FRAC_PI_2, PI};

use super::ops::{Float, Word};

/// `asin(r)` for r from 0 to 1/2, where `square` is `r^2`.
#[inline(always)]
fn small_asin<F: Float>(r: F, square: F) -> F {
    let p = square.polynomial(&[
        4.215_838_8e-2,
        2.418_474_3e-2,
        4.546_915_4e-2,
        7.495_309_4e-2,
        0.166_667_52,
    ]);
    p.mul_add(r * square, r)
}

/// For a magnitude: whether it is above 1/2, and its arc sine, or if it is above, half of `pi / 2` minus its arc
/// sine.
#[inline(always)]
fn parts<F: Float>(a: F) -> (F::Truth, F) {
    let large = a.constant(0.5).below(a);
    let square = (a * a).but(large, a.mul_add(-0.5, 0.5));
    let r = a.but(large, square.sqrt());
    (large, small_asin(r, square))
}

/// The arc sine.
#[inline(always)]
pub(in crate::cpu) fn asin<F: Float>(x: F) -> F {
    let (large, y) = parts(x.abs());
    y.but(large, y.mul_add(-2.0, FRAC_PI_2)).signed_as(x)
}

/// The arc cosine.
#[inline(always)]
pub(in crate::cpu) fn acos<F: Float>(x: F) -> F {
    let (large, y) = parts(x.abs());
    // pi / 2 - asin x for a small x, else 2 y or pi - 2 y.
    let small = -y.signed_as(x) + FRAC_PI_2;
    let twice = y + y;
    let far = twice.but(x.below(0.0), -twice + PI);
    small.but(large, far)
}

/// `atan(r)` for r from 0 to 1.
#[inline(always)]
fn small_atan<F: Float>(r: F) -> F {
    let square = r * r;
    let p = square.polynomial(&[
        -1.781_195_9e-3,
        1.086_275_8e-2,
        -3.108_836_2e-2,
        5.787_505e-2,
        -8.399_062e-2,
        0.109_508_35,
        -0.142_640_13,
        0.199_985_3,
        -0.333_333,
    ]);
    p.mul_add(r * square, r)
}

/// The arc tangent.
#[inline(always)]
pub(in crate::cpu) fn atan<F: Float>(x: F) -> F {
    let a = x.abs();
    let one = x.constant(1.0);
    let large = one.below(a);
    let y = small_atan(a.but(large, one / a));
    y.but(large, -y + FRAC_PI_2).signed_as(x)
}

/// The angle of the point `(x, y)`.
#[inline(always)]
pub(in crate::cpu) fn atan2<F: Float>(y: F, x: F) -> F {
    let (a, b) = (y.abs(), x.abs());
    let steep = b.below(a);
    let (less, more) = (a.but(steep, b), b.but(steep, a));
    // Both may be infinite, or zero.
    let alike = less.equals(more);
    let ratio = (less / more).but(alike, 1.0).but(alike & more.equals(0.0), 0.0);
    let angle = small_atan(ratio);
    let angle = angle.but(steep, -angle + FRAC_PI_2);
    // Left of the y axis, to which a negative zero belongs.
    let left = !((x.bits() >> 31).is_zero());
    angle.but(left, -angle + PI).signed_as(y)
}
