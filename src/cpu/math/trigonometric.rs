//! Sine, cosine and tangent.
//!
//! The argument is reduced by a nearest multiple, and the rest goes into one odd polynomial. The multiple is one
//! of pi for the sine, an odd one of pi / 2 for the cosine (so that a result near zero comes from a small rest,
//! and keeps its relative accuracy), and one of pi / 2 for the tangent. Below [`near_limit`] it is subtracted in
//! parts (Cody and Waite): with fused multiply-add in three full parts, of which the first leaves an exact rest,
//! else in four short parts, of which three have exact products. Larger arguments are rare: [`rest`] multiplies
//! them with the bits of 1 / pi that matter (Payne and Hanek), in integers. That is not vector code; a compiled
//! kernel calls it when a lane needs it.
//!
//! Source of the polynomials: our own minimax fits (Remez exchange in 40 digits, relative error of the whole
//! function; coefficients rounded to f32 one after the other from the lowest on, the others fitted again each
//! time). Their error is below 2^-26 for the sine and below 2^-28 for the tangent.

use super::ops::{Float, Lane, SIGN, Word};

/// A number whose last place is 1, and whose last bit is 0.
const NEAREST: f32 = 12_582_912.0;

/// pi in full parts, and in parts of which the first three have 11 bits. Halves of the parts are exact.
const FULL: [f32; 3] = [std::f32::consts::PI, -8.742_278e-8, -3.430_249e-15];
const SHORT: [f32; 4] = [3.140_625, 9.675_026e-4, 1.509_906_7e-7, 5.126_688e-12];

/// From this magnitude on, subtracting in parts is not exact enough.
fn near_limit(fused: bool) -> f32 {
    if fused { 1_048_576.0 } else { 8192.0 }
}

/// Whether an argument is too large for subtracting in parts. An infinite one is; NaN is not.
#[inline(always)]
pub(in crate::cpu) fn is_far<F: Float>(x: F) -> F::Truth {
    x.constant(near_limit(x.fused())).at_most(x.abs())
}

/// `x - n * pi * scale` for a scale of 1 or 1/2.
#[inline(always)]
fn less_multiple<F: Float>(x: F, n: F, scale: f32) -> F {
    let parts: &[f32] = if x.fused() { &FULL } else { &SHORT };
    parts.iter().fold(x, |rest, &part| n.mul_add(-part * scale, rest))
}

/// The sine for -1.6 to 1.6. The sign of a zero may be wrong.
#[inline(always)]
fn sine<F: Float>(r: F) -> F {
    let square = r * r;
    let p = square.polynomial(&[2.597_750_2e-6, -1.980_620_6e-4, 8.333_025e-3, -0.166_666_58]);
    p.mul_add(r * square, r)
}

/// The tangent for -0.8 to 0.8. The sign of a zero may be wrong.
#[inline(always)]
fn tangent<F: Float>(r: F) -> F {
    let square = r * r;
    let p = square.polynomial(&[
        4.706_333e-3,
        -5.762_553e-4,
        1.135_624_7e-2,
        2.108_443_2e-2,
        5.409_727_2e-2,
        0.133_323_48,
        0.333_333_58,
    ]);
    p.mul_add(r * square, r)
}

/// The sine, unless [`is_far`].
#[inline(always)]
pub(in crate::cpu) fn near_sin<F: Float>(x: F) -> F {
    let a = x.abs();
    let shifted = a.mul_add(std::f32::consts::FRAC_1_PI, NEAREST);
    let y = sine(less_multiple(a, shifted - NEAREST, 1.0));
    (y.bits() ^ (x.bits() & SIGN) ^ (shifted.bits() << 31)).float()
}

/// The cosine, unless [`is_far`].
#[inline(always)]
pub(in crate::cpu) fn near_cos<F: Float>(x: F) -> F {
    // With n the nearest integer to x / pi - 1/2, the cosine is (-1)^(n + 1) sin(x - (n + 1/2) pi).
    let a = x.abs();
    let shifted = a.mul_add(std::f32::consts::FRAC_1_PI, -0.5) + NEAREST;
    let y = sine(less_multiple(a, shifted - NEAREST + 0.5, 1.0));
    (y.bits() ^ ((shifted.bits() + 1) << 31)).float()
}

/// The tangent, unless [`is_far`].
#[inline(always)]
pub(in crate::cpu) fn near_tan<F: Float>(x: F) -> F {
    let a = x.abs();
    let shifted = a.mul_add(std::f32::consts::FRAC_2_PI, NEAREST);
    let t = tangent(less_multiple(a, shifted - NEAREST, 0.5));
    let y = (t.constant(-1.0) / t).but((shifted.bits() & 1).is_zero(), t);
    (y.bits() ^ (x.bits() & SIGN)).float()
}

/// 32 zeros, then the first bits of 1 / pi after the point.
const ONE_OVER_PI: [u32; 10] = [
    0,
    0x517c_c1b7,
    0x2722_0a94,
    0xfe13_abe8,
    0xfa9a_6ee0,
    0x6db1_4acc,
    0x9e21_c820,
    0xff28_b1d5,
    0xef5d_e2b0,
    0xdb92_371d,
];

/// For a finite `|x| >= 1024`, `2^power |x| / pi + halves / 2` less the nearest integer, and whether that
/// integer is odd.
fn rest(x: f32, power: u32, halves: u32) -> (f64, bool) {
    let bits = x.to_bits();
    let significand = u128::from(bits & 0x007f_ffff | 0x0080_0000);
    let exponent = (bits >> 23 & 0xff) as i32 - 150;
    // 128 bits of 1 / pi, of which the first has the weight 1 after the multiplication. Earlier bits would add
    // even numbers.
    let first = (exponent + power as i32 + 31) as usize;
    let word = |k: usize| u128::from(ONE_OVER_PI.get(first / 32 + k).copied().unwrap_or(0));
    let high = word(0) << 96 | word(1) << 64 | word(2) << 32 | word(3);
    let window = match first % 32 {
        0 => high,
        shift => high << shift | word(4) >> (32 - shift),
    };
    let product = significand.wrapping_mul(window).wrapping_add(u128::from(halves) << 126);
    let fraction = (product << 1) as i128;
    let odd = (product >> 127 == 1) != (fraction < 0);
    (fraction as f64 * 0.5f64.powi(128), odd)
}

fn far(x: f32, power: u32, halves: u32) -> (f32, bool) {
    if !x.is_finite() {
        return (f32::NAN, false);
    }
    let (fraction, odd) = rest(x, power, halves);
    ((fraction * std::f64::consts::PI) as f32, odd)
}

/// The sine of an argument that [`is_far`].
#[cold]
fn far_sin<const FUSED: bool>(x: f32) -> f32 {
    let (r, odd) = far(x, 0, 0);
    let y = sine(Lane::<FUSED>(r)).0;
    if odd != (x < 0.0) { -y } else { y }
}

/// The cosine of an argument that [`is_far`].
#[cold]
fn far_cos<const FUSED: bool>(x: f32) -> f32 {
    let (r, odd) = far(x, 0, 1);
    let y = sine(Lane::<FUSED>(r)).0;
    if odd { -y } else { y }
}

/// The tangent of an argument that [`is_far`].
#[cold]
fn far_tan<const FUSED: bool>(x: f32) -> f32 {
    let (r, odd) = far(x, 1, 0);
    let t = tangent(Lane::<FUSED>(r * 0.5)).0;
    let y = if odd { -1.0 / t } else { t };
    if x < 0.0 { -y } else { y }
}

macro_rules! wherever {
    ($($(#[$doc:meta])* $name:ident = $near:ident, $far:ident;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name<const FUSED: bool>(x: f32) -> f32 {
            let lane = Lane::<FUSED>(x);
            if is_far(lane) { $far::<FUSED>(x) } else { $near(lane).0 }
        }
    )*};
}

wherever! {
    /// The sine of any float.
    sin = near_sin, far_sin;
    /// The cosine of any float.
    cos = near_cos, far_cos;
    /// The tangent of any float.
    tan = near_tan, far_tan;
}
