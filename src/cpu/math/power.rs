//! `x` to the power of `y`, as in C: a negative base is allowed if the exponent is an integer.
//!
//! It is 2 to the power of `y log2 |x|`. A product of up to 150 needs a logarithm 2^7 times more accurate than
//! an f32, so the logarithm and the product are sums of two f32. With `|x| = 2^e m`, `m` between the roots of
//! 1/2 and of 2, and `q = (m - 1) / (m + 1)`, `log2 m` is `2 / ln 2 (q + q^3 p(q^2))`. The first term has two
//! parts; the others, which are below a hundredth of it, have one.
//!
//! Source of the polynomial: our own minimax fit (Remez exchange in 40 digits, error relative to the whole
//! logarithm; coefficients rounded to f32 one after the other from the lowest on, the others fitted again each
//! time). Its error is below 2^-35.

use super::exponential::exp2_sum;
use super::logarithm::split;
use super::ops::{Float, SIGN, Word};

/// The bits of the square root of 1/2.
const ROOT_OF_HALF: u32 = 0x3f35_04f3;
/// 2 / ln 2 in two parts.
const HIGH: f32 = 2.885_39;
const LOW: f32 = 3.851_926e-8;

/// `(log2 m - 2 / ln 2 q) / q^3` as a polynomial of `q^2`.
const LOG2: [f32; 4] = [0.347_803_38, 0.411_261_74, 0.577_090_6, 0.961_796_64];

/// The logarithm to base 2 of a positive number, in two parts. For zero and infinity the first part is infinite.
#[inline(always)]
fn long_log2<F: Float>(a: F) -> (F, F) {
    let (m, e) = split(a, ROOT_OF_HALF);
    let (f, d) = (m - 1.0, m + 1.0);
    // The rounding error of the divisor.
    let d_low = m - (d - 1.0);
    let q = f / d;
    // q in two parts: q d is also subtracted from f in two parts.
    let (product, product_low) = q.product(d);
    let q_low = ((f - product) - product_low - q * d_low) / d;
    let square = q * q;
    let (first, first_low) = q.product(q.constant(HIGH));
    let rest = square.polynomial(&LOG2) * (square * q);
    // The derivative of the whole is that of the first term times 1 / (1 - q^2).
    let slope = square.mul_add(HIGH, HIGH);
    let low = q_low.mul_add(slope, q.mul_add(LOW, first_low)) + rest;
    // The sum is exact in two parts, as e is zero or greater than the addend.
    let sum = e + first;
    let low = (first - (sum - e)) + low;
    // The second part is made less than a rounding error of the first.
    let (sum, low) = (sum + low, low - ((sum + low) - sum));
    let sum = a.but(a.below(f32::INFINITY), sum);
    (sum.but(a.equals(0.0), f32::NEG_INFINITY), low)
}

/// Whether it is an integer. Infinities are.
#[inline(always)]
fn is_whole<F: Float>(x: F) -> F::Truth {
    x.trunc().equals(x)
}

/// `x` to the power of `y`.
#[inline(always)]
pub(in crate::cpu) fn pow<F: Float>(x: F, y: F) -> F {
    let a = x.abs();
    let (log, log_low) = long_log2(a);
    // A larger exponent gives the same result, except that infinity times zero would be NaN. The bound also
    // keeps `product` from overflowing.
    let times = y.floor_at(-1e30).cap(1e30);
    let (product, product_low) = times.product(log);
    let low = times.mul_add(log_low, product_low);
    // A result out of range, or from an infinite logarithm, needs no second part.
    let low = y.constant(0.0).but(product.abs().below(200.0), low);
    let result = exp2_sum(product, low);

    let whole = is_whole(y);
    let odd = whole & !is_whole(y * 0.5);
    let flipped = (result.bits() ^ (x.bits() & SIGN)).float();
    let result = result.but(odd, flipped);
    // A power of minus infinity is a power of infinity, up to its sign.
    let nothing = x.below(0.0) & a.below(f32::INFINITY) & !whole;
    let result = result.but(nothing, f32::NAN);
    result.but(x.equals(1.0) | y.equals(0.0), 1.0)
}
