//! The remainder of a division, `x - y * trunc(x / y)`, exact.
//!
//! A quotient below 2^24 is, rounded and cut off, the right integer or one more; so one fused
//! multiply-add gives the remainder, or what is less than it by `y`, and both are exact: they are
//! multiples of the last place of `y` and not greater. A greater quotient is rare. It is no vector
//! code: a compiled kernel calls it when a lane needs it, and so it does for all on a processor
//! without fused multiply-add. As both are exact, it shows nowhere which one it was.

use super::ops::{Float, Lane};

/// Whether the quotient is too large, or infinite.
#[inline(always)]
pub(in crate::cpu) fn is_far<F: Float>(x: F, y: F) -> F::Truth {
    x.constant(16_777_216.0).at_most(x.abs() / y.abs())
}

/// The remainder of what is not far, with the sign of `x`.
#[inline(always)]
pub(in crate::cpu) fn near_rem<F: Float>(x: F, y: F) -> F {
    let (a, b) = (x.abs(), y.abs());
    let rest = (-(a / b).trunc()).fma(b, a);
    let rest = rest.but(rest.below(0.0), rest + b);
    // An infinite divisor times zero is NaN.
    rest.but(a.below(b), a).signed_as(x)
}

/// The remainder of anything.
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
