//! The tolerance of verification: when values of two devices count as equal.

use std::fmt;

use crate::kernel::ScalarType;

/// How much work to verify, and how closely.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Verification {
    /// The fraction of the work, from 0 to 1.
    pub(crate) fraction: f64,
    pub(crate) tolerance: Tolerance,
}

/// The allowed difference of two values: for floats absolute, or relative to the larger one; for integers absolute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tolerance {
    pub(crate) absolute: f64,
    pub(crate) relative: f64,
    pub(crate) integers: u32,
}

impl Default for Tolerance {
    fn default() -> Tolerance {
        Tolerance { absolute: 1e-6, relative: 1e-5, integers: 0 }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tolerance { absolute, relative, integers } = self;
        write!(f, "floats within {absolute:e} or {relative:e} of the larger one, integers ")?;
        if *integers == 0 { f.write_str("exactly") } else { write!(f, "within {integers}") }
    }
}

/// A value as a float, if its type is one.
fn float(scalar: ScalarType, bits: u32) -> Option<f64> {
    match scalar {
        ScalarType::F32 => Some(f32::from_bits(bits).into()),
        ScalarType::F16 => Some(half::f16::from_bits(bits as u16).into()),
        _ => None,
    }
}

/// A value as the report shows it.
pub(super) fn show(scalar: ScalarType, bits: u32) -> String {
    match float(scalar, bits) {
        Some(value) => format!("{value}"),
        None if scalar == ScalarType::I32 => (bits as i32).to_string(),
        None => bits.to_string(),
    }
}

/// Whether two values of a scalar are equal within a tolerance.
pub(super) fn agree(scalar: ScalarType, a: u32, b: u32, tolerance: Tolerance) -> bool {
    let (Some(x), Some(y)) = (float(scalar, a), float(scalar, b)) else {
        let apart = match scalar {
            ScalarType::I32 => (a as i32).abs_diff(b as i32),
            _ => a.abs_diff(b),
        };
        return apart <= tolerance.integers;
    };
    let near = tolerance.absolute.max(tolerance.relative * x.abs().max(y.abs()));
    a == b
        || x == y
        || x.is_nan() && y.is_nan()
        || x.is_finite() && y.is_finite() && (x - y).abs() <= near
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_agree_within_the_tolerance_and_integers_to_the_bit() {
        let tolerance = Tolerance { absolute: 0.01, relative: 0.1, integers: 0 };
        let f32s = |a: f32, b: f32| agree(ScalarType::F32, a.to_bits(), b.to_bits(), tolerance);
        assert!(f32s(0.0, -0.0) && f32s(0.0, 0.009) && !f32s(0.0, 0.011));
        assert!(f32s(100.0, 109.0) && !f32s(100.0, 115.0));
        assert!(f32s(f32::NAN, -f32::NAN) && !f32s(f32::NAN, 0.0));
        assert!(f32s(f32::INFINITY, f32::INFINITY) && !f32s(f32::INFINITY, f32::MAX));
        assert!(!f32s(f32::INFINITY, -f32::INFINITY));
        assert!(!agree(ScalarType::U32, 1000, 1001, tolerance));
        let half = |x: f32| u32::from(half::f16::from_f32(x).to_bits());
        assert!(agree(ScalarType::F16, half(10.0), half(10.5), tolerance));
    }

    #[test]
    fn integers_agree_within_a_tolerance_of_their_own_across_zero_too() {
        let tolerance = Tolerance { integers: 2, ..Tolerance::default() };
        let i32s = |a: i32, b: i32| agree(ScalarType::I32, a as u32, b as u32, tolerance);
        assert!(i32s(-1, 1) && i32s(7, 5) && !i32s(-1, 2) && !i32s(i32::MIN, i32::MAX));
        let u32s = |a: u32, b: u32| agree(ScalarType::U32, a, b, tolerance);
        assert!(u32s(u32::MAX, u32::MAX - 2) && !u32s(u32::MAX, 0) && !u32s(0, 3));
        let words = tolerance.to_string();
        assert_eq!(words, "floats within 1e-6 or 1e-5 of the larger one, integers within 2");
    }
}
