//! Scaling a float by a power of two, and taking it apart into significand and exponent.
//!
//! A power of two that is no f32 is applied in several steps, of which only one may round. Steps upwards do not
//! round. A step downwards leaves a factor below 2^-24 to the next one: so if it makes the result denormal, and
//! rounds it, the next step makes it zero in any case.

use super::ops::{Float, SIGN, Word};

/// `2^n` of an integer from -126 to 127.
#[inline(always)]
fn power<F: Float>(n: F) -> F {
    // The last place of the sum is 1.
    ((n + (12_582_912.0 + 127.0)).bits() << 23).float()
}

/// The part of an exponent that one step applies: zero if the last step can apply all of it.
#[inline(always)]
fn step<F: Float>(n: F) -> F {
    let none = n.constant(0.0);
    none.but(n.below(-126.0), -102.0).but(n.constant(127.0).below(n), 127.0)
}

/// `x * 2^n` of an i32 `n`, rounded once.
#[inline(always)]
pub(in crate::cpu) fn ldexp<F: Float>(x: F, n: F::Word) -> F
where
    F::Word: Word<Float = F>,
{
    // The bounds suffice for the greatest float to vanish and for the least to overflow.
    let n = n.to_float().floor_at(-330.0).cap(381.0);
    let first = step(n);
    let n = n - first;
    let second = step(n);
    x * power(first) * power(second) * power(n - second)
}

/// The magnitude of a number, made normal: denormals are multiplied with 2^32. Also whether it was multiplied,
/// and whether it is zero, infinite or NaN.
#[inline(always)]
fn normal<F: Float>(x: F) -> (F, F::Truth, F::Truth) {
    let a = x.abs();
    let tiny = a.below(f32::MIN_POSITIVE);
    let special = !a.below(f32::INFINITY) | a.equals(0.0);
    (a.but(tiny, a * 4_294_967_296.0), tiny, special)
}

/// The significand in [0.5, 1) with the sign of `x`. Zeros, NaN and infinities are returned unchanged.
#[inline(always)]
pub(in crate::cpu) fn frexp_fract<F: Float>(x: F) -> F {
    let (a, _, special) = normal(x);
    let fract = (a.bits() & 0x007f_ffff) ^ 0x3f00_0000 ^ (x.bits() & SIGN);
    fract.float().but(special, x)
}

/// The exponent that belongs to [`frexp_fract`], an i32; 0 for zeros, NaN and infinities.
#[inline(always)]
pub(in crate::cpu) fn frexp_exponent<F: Float>(x: F) -> F::Word {
    let (a, tiny, special) = normal(x);
    let exponent = (a.bits() >> 23) - 126;
    // Selects between integers as if their bits were floats.
    exponent.float().but(tiny, (exponent - 32).float()).but(special, 0.0).bits()
}

#[cfg(test)]
mod tests {
    use crate::cpu::interpreter::functions::{Binary, Unary};
    use crate::cpu::math::accuracy_tests::noise;

    fn same(got: f32, wanted: f32) -> bool {
        got.to_bits() == wanted.to_bits() || got.is_nan() && wanted.is_nan()
    }

    const SPECIAL: [u32; 9] = [
        0,
        1,
        0x007f_ffff,
        0x0080_0000,
        0x0080_0001,
        0x3f80_0000,
        0x7f7f_ffff,
        0x7f80_0000,
        0x7fc0_0000,
    ];

    #[test]
    fn scaling_rounds_once() {
        let random = noise(2_000_000).map(|bits| (bits as u32, (bits >> 32) as i32 % 320));
        let special = SPECIAL.into_iter().flat_map(|x| (-400..400).map(move |n| (x, n)));
        let extreme = [i32::MIN, i32::MAX].map(|n| (0x4049_0fdb, n));
        for (x, n) in random.chain(special).chain(extreme) {
            let got = f32::from_bits(Binary::Ldexp.eval([x, n as u32]));
            let wanted = libm::ldexpf(f32::from_bits(x), n);
            assert!(same(got, wanted), "{x:#x} * 2^{n} is {got:e} instead of {wanted:e}");
        }
    }

    #[test]
    fn a_float_is_its_parts() {
        for x in noise(1_000_000).map(|bits| bits as u32).chain(SPECIAL) {
            let fract = f32::from_bits(Unary::FrexpFract.eval([x]));
            let exponent = Unary::FrexpExponent.eval([x]) as i32;
            let float = f32::from_bits(x);
            let wanted = match float == 0.0 || !float.is_finite() {
                true => (float, 0),
                false => libm::frexpf(float),
            };
            assert!(same(fract, wanted.0) && exponent == wanted.1, "{x:#x}: {fract:e}, {exponent}");
        }
    }
}
