//! Hyperbolic functions and their inverses.
//!
//! They are made of `e^x` and `ln(1 + x)`, except where terms cancel: there they are odd polynomials. An
//! intermediate value that would overflow is halved first.
//!
//! Source of the polynomials: our own minimax fits (Remez exchange in 40 digits, relative error of the whole
//! function; coefficients rounded to f32 one after the other from the lowest on, the others fitted again each
//! time). Their error is below 2^-31 for the sine and below 2^-27 for the tangent.

use super::exponential::half_exp;
use super::logarithm::log_1p;
use super::ops::Float;

/// The hyperbolic sine.
#[inline(always)]
pub(in crate::cpu) fn sinh<F: Float>(x: F) -> F {
    let a = x.abs();
    let square = a * a;
    let p = square.polynomial(&[2.782_248_4e-6, 1.984_289_3e-4, 8.333_31e-3, 0.166_666_67]);
    let small = p.mul_add(a * square, a);
    let half = half_exp(a);
    let large = half - a.constant(0.25) / half;
    large.but(a.below(1.0), small).signed_as(x)
}

/// The hyperbolic cosine.
#[inline(always)]
pub(in crate::cpu) fn cosh<F: Float>(x: F) -> F {
    let half = half_exp(x.abs());
    half + x.constant(0.25) / half
}

/// The hyperbolic tangent.
#[inline(always)]
pub(in crate::cpu) fn tanh<F: Float>(x: F) -> F {
    let a = x.abs();
    let square = a * a;
    let p = square.polynomial(&[
        -5.710_833_2e-3,
        2.064_514_5e-2,
        -5.374_194e-2,
        0.133_314_76,
        -0.333_332_84,
    ]);
    let small = p.mul_add(a * square, a);
    // 1 - 2 / (e^2a + 1); beyond 10 that is 1.
    let half = half_exp(a.cap(10.0) * 2.0);
    let large = -(a.constant(1.0) / (half + 0.5)) + 1.0;
    large.but(a.below(0.625), small).signed_as(x)
}

/// Above this number, adding 1 to its square changes nothing.
const LARGE: f32 = 1e8;
/// ln 4: twice a large number is four times its half.
const TWICE_LN_2: f32 = 2.0 * std::f32::consts::LN_2;

/// The inverse of the hyperbolic sine.
#[inline(always)]
pub(in crate::cpu) fn asinh<F: Float>(x: F) -> F {
    let a = x.abs();
    let large = a.constant(LARGE).below(a);
    let bounded = a.cap(LARGE);
    // a + sqrt(a^2 + 1) = 1 + a + a^2 / (1 + sqrt(a^2 + 1))
    let square = bounded * bounded;
    let more = square / ((square + 1.0).sqrt() + 1.0);
    let y = log_1p((bounded + more).but(large, a * 0.5));
    y.but(large, y + TWICE_LN_2).signed_as(x)
}

/// The inverse of the hyperbolic cosine; NaN below 1.
#[inline(always)]
pub(in crate::cpu) fn acosh<F: Float>(x: F) -> F {
    let large = x.constant(LARGE).below(x);
    // x + sqrt(x^2 - 1) = 1 + t + sqrt(t (t + 2))
    let t = x.cap(LARGE) - 1.0;
    let root = ((t + 2.0) * t).sqrt();
    let y = log_1p((t + root).but(large, x * 0.5));
    let y = y.but(large, y + TWICE_LN_2);
    y.but(x.below(1.0), f32::NAN)
}

/// The inverse of the hyperbolic tangent; NaN beyond 1.
#[inline(always)]
pub(in crate::cpu) fn atanh<F: Float>(x: F) -> F {
    let a = x.abs();
    let y = log_1p((a + a) / (-a + 1.0)) * 0.5;
    y.but(a.constant(1.0).below(a), f32::NAN).signed_as(x)
}
