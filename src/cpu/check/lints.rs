//! Lints, which are suspicious but no errors: reads of memory that is zero only by default, values that are not
//! finite, indices that wrapped.

use crate::cpu::interpreter::note::Wrapping;

/// The scalars that have been written in a batch: one bit each.
#[derive(Debug, Default)]
pub(super) struct Written {
    bits: Vec<u64>,
}

impl Written {
    pub(super) fn new(scalars: usize) -> Written {
        Written { bits: vec![0; scalars.div_ceil(64)] }
    }

    pub(super) fn clear(&mut self) {
        self.bits.fill(0);
    }

    pub(super) fn set(&mut self, scalar: usize) {
        if let Some(word) = self.bits.get_mut(scalar / 64) {
            *word |= 1 << (scalar % 64);
        }
    }

    pub(super) fn has(&self, scalar: usize) -> bool {
        self.bits.get(scalar / 64).is_none_or(|word| word >> (scalar % 64) & 1 != 0)
    }
}

/// Whether a float is neither infinite nor NaN.
pub(super) fn finite(bits: u32) -> bool {
    f32::from_bits(bits).is_finite()
}

/// The operation as text, if its exact result does not fit.
pub(super) fn wrapped(operation: Wrapping, signed: bool, a: u32, b: u32) -> Option<String> {
    let wide = |x: u32| if signed { i64::from(x as i32) } else { i64::from(x) };
    let (x, y) = (i128::from(wide(a)), i128::from(wide(b)));
    let (exact, sign) = match operation {
        Wrapping::Add => (x + y, '+'),
        Wrapping::Subtract => (x - y, '-'),
        Wrapping::Multiply => (x * y, '*'),
    };
    let fits = if signed { i32::try_from(exact).is_ok() } else { u32::try_from(exact).is_ok() };
    let ty = if signed { "i32" } else { "u32" };
    (!fits).then(|| format!("{x} {sign} {y} does not fit into {ty}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_fit_has_wrapped() {
        let minus = |x: i32| x as u32;
        assert_eq!(wrapped(Wrapping::Add, true, minus(-1), 1), None);
        assert!(wrapped(Wrapping::Add, false, u32::MAX, 1).is_some());
        assert!(wrapped(Wrapping::Subtract, false, 0, 1).is_some());
        assert_eq!(wrapped(Wrapping::Subtract, true, 0, 1), None);
        assert!(wrapped(Wrapping::Multiply, true, 1 << 20, 1 << 11).is_some());
        assert_eq!(wrapped(Wrapping::Multiply, false, 1 << 20, 1 << 11), None);
    }
}
