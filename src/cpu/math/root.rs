//! The inverse of the square root.
//!
//! A guess from the bits of `x` (its exponent halved and negated), one step of Newton's and one of
//! third order: a third of the time of the exact root and the exact quotient, which processors
//! compute slowly, and less than one unit in the last place away. What is no positive normal number
//! is rare, and computed with those two.
//!
//! Source of the guess and of the constants of the first step: J. Kadlec, "Rrrola", 2010 (an
//! error of 6.5e-4 after the first step); the second step is the series of `(1 - e)^(-1/2)` with
//! `e = 1 - x y^2`.

use super::ops::{Float, Lane, Word};

const GUESS: u32 = 0x5f1f_fff9;

/// Whether it is anything but a positive normal number.
#[inline(always)]
pub(in crate::cpu) fn is_special<F: Float>(x: F) -> F::Truth {
    // NaN gives NaN both ways.
    x.below(f32::MIN_POSITIVE) | x.equals(f32::INFINITY)
}

/// The inverse of the square root of a positive normal number.
#[inline(always)]
pub(in crate::cpu) fn usual_inverse_sqrt<F: Float>(x: F) -> F {
    let y = ((x.bits() >> 1) ^ u32::MAX) + (GUESS + 1);
    let y = y.float();
    let near = (x * -y).mul_add(y, 2.389_244_6);
    let y = y * 0.703_952_25 * near;
    let e = (x * -y).mul_add(y, 1.0);
    e.mul_add(0.375, 0.5).mul_add(y * e, y)
}

/// The inverse of the square root of anything.
#[inline(always)]
pub(crate) fn inverse_sqrt<const FUSED: bool>(x: f32) -> f32 {
    let lane = Lane::<FUSED>(x);
    if is_special(lane) { 1.0 / x.sqrt() } else { usual_inverse_sqrt(lane).0 }
}
