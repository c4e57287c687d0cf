//! The remainder of a division, `x - y * trunc(x / y)`, exact.
//!
//! If the quotient is below 2^24, then rounded and truncated it is the right integer or one more. So one fused
//! multiply-add gives the remainder, or the remainder less `y`. Both are exact: they are multiples of the last
//! place of `y`, and not greater than `y`. A greater quotient is rare, and is not handled by vector code: a
//! compiled kernel calls `libm` when a lane needs it, and for all lanes on a processor without fused
//! multiply-add. Both methods are exact, so the result does not show which one was used.

use super::ops::{Float, Lane};

/// Whether the quotient is too large, or infinite.
#[inline(always)]
pub(in crate::cpu) fn is_far<F: Float>(x: F, y: F) -> F::Truth {
    x.constant(16_777_216.0).at_most(x.abs() / y.abs())
}

/// The remainder with the sign of `x`, unless [`is_far`].
#[inline(always)]
pub(in crate::cpu) fn near_rem<F: Float>(x: F, y: F) -> F {
    let (a, b) = (x.abs(), y.abs());
    let rest = (-(a / b).trunc()).fma(b, a);
    let rest = rest.but(rest.below(0.0), rest + b);
    // Zero times an infinite divisor is NaN.
    rest.but(a.below(b), a).signed_as(x)
}

/// The remainder of any two floats.
#[inline(always)]
pub(crate) fn rem<const FUSED: bool>(x: f32, y: f32) -> f32 {
    let (a, b) = (Lane::<FUSED>(x), Lane::<FUSED>(y));
    if !FUSED || is_far(a, b) { libm::fmodf(x, y) } else { near_rem(a, b).0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::math::accuracy_tests::{neighbour, pairs};

    #[test]
    fn remainders_are_exact() {
        for (x, y) in pairs(1_000_000, neighbour) {
            let (got, wanted) = (rem::<true>(x, y), libm::fmodf(x, y));
            assert!(
                got.to_bits() == wanted.to_bits() || got.is_nan() && wanted.is_nan(),
                "{x:e} % {y:e} is {got:e} instead of {wanted:e}"
            );
        }
    }

    #[test]
    fn remainders_of_whole_multiples_and_their_neighbours_are_exact() {
        for k in [1.0f32, 2.0, 3.0, 10.0, 1e3, 65_537.0, 1e6, 16_777_215.0, 16_777_216.0, 1e9] {
            for y in [1.0f32, 0.1, 3.0, 1.5e-40, 7e-39, 1e-5, 1e20] {
                for x in [k * y, (k * y).next_up(), (k * y).next_down()] {
                    let (got, wanted) = (rem::<true>(x, y), libm::fmodf(x, y));
                    assert_eq!(got.to_bits(), wanted.to_bits(), "{x:e} % {y:e}");
                }
            }
        }
    }
}
