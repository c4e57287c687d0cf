//! Intervals of 32-bit integers, and WGSL's operators on them.
//!
//! An interval holds mathematical integers, wide enough for every sum of products of 32-bit values. Invariant:
//! the result of [`apply`] contains the operator's result for every pair of values of the operands, wrap-around
//! and division by zero included, and lies inside the type's range. `linear` has the relations between values.

use std::cmp::{max, min};

/// A 32-bit integer type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum IntType {
    U32,
    I32,
}

/// The number of values of a 32-bit type.
pub(crate) const MODULUS: i128 = 1 << 32;

impl IntType {
    /// All values of the type.
    pub(crate) fn range(self) -> Interval {
        match self {
            IntType::U32 => Interval::new(0, MODULUS - 1),
            IntType::I32 => Interval::new(-MODULUS / 2, MODULUS / 2 - 1),
        }
    }
}

/// The integers from `lo` to `hi`, both included; never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) lo: i128,
    pub(crate) hi: i128,
}

impl Interval {
    pub(crate) fn new(lo: i128, hi: i128) -> Interval {
        debug_assert!(lo <= hi);
        Interval { lo, hi }
    }

    pub(crate) fn single(value: i128) -> Interval {
        Interval { lo: value, hi: value }
    }

    /// The value, if the interval has only one.
    pub(crate) fn value(self) -> Option<i128> {
        (self.lo == self.hi).then_some(self.lo)
    }

    pub(crate) fn contains(self, inner: Interval) -> bool {
        self.lo <= inner.lo && inner.hi <= self.hi
    }

    pub(crate) fn hull(self, other: Interval) -> Interval {
        Interval { lo: min(self.lo, other.lo), hi: max(self.hi, other.hi) }
    }

    /// The intersection, or `None` if it is empty.
    pub(crate) fn meet(self, other: Interval) -> Option<Interval> {
        let (lo, hi) = (max(self.lo, other.lo), min(self.hi, other.hi));
        (lo <= hi).then_some(Interval { lo, hi })
    }

    pub(crate) fn plus(self, other: Interval) -> Interval {
        Interval { lo: self.lo + other.lo, hi: self.hi + other.hi }
    }

    pub(crate) fn scaled(self, factor: i128) -> Interval {
        let (a, b) = (self.lo * factor, self.hi * factor);
        Interval { lo: min(a, b), hi: max(a, b) }
    }

    /// The smallest interval that contains all of the values.
    fn around(values: [i128; 4]) -> Interval {
        values.into_iter().map(Interval::single).reduce(Interval::hull).expect("four values")
    }
}

/// Operators that are not linear in their operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Multiply,
    Divide,
    Remainder,
    Minimum,
    Maximum,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
    /// The absolute value of the first operand; the second is ignored.
    Absolute,
}

/// The values that an operator gives for operands in `a` and `b`, which lie in the type's range. The second
/// operand of a shift is a `u32`.
pub(crate) fn apply(operator: Operator, ty: IntType, a: Interval, b: Interval) -> Interval {
    let all = ty.range();
    let exact = |result: Interval| if all.contains(result) { result } else { all };
    match operator {
        Operator::Multiply => {
            exact(Interval::around([a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi]))
        }
        Operator::Divide if b.lo >= 1 => {
            Interval::around([a.lo / b.lo, a.lo / b.hi, a.hi / b.lo, a.hi / b.hi])
        }
        // x / 0 = x, and i32::MIN / -1 = i32::MIN: never farther from zero than x.
        Operator::Divide => {
            let bound = max(a.lo.abs(), a.hi.abs());
            Interval::new(-bound, bound).meet(all).unwrap_or(all)
        }
        Operator::Remainder => {
            if a.lo >= 0 && b.lo > a.hi {
                return a;
            }
            // The sign is that of the dividend; x % 0 = 0.
            let bound = max(max(b.lo.abs(), b.hi.abs()) - 1, 0);
            Interval::new(
                if a.lo < 0 { max(a.lo, -bound) } else { 0 },
                if a.hi > 0 { min(a.hi, bound) } else { 0 },
            )
        }
        Operator::Minimum => Interval::new(min(a.lo, b.lo), min(a.hi, b.hi)),
        Operator::Maximum => Interval::new(max(a.lo, b.lo), max(a.hi, b.hi)),
        Operator::And => match (a.lo >= 0, b.lo >= 0) {
            (true, true) => {
                let high = alike(a, b, |x, y| x & y);
                Interval::new(high.lo, min(high.hi, min(a.hi, b.hi)))
            }
            (true, false) => Interval::new(0, a.hi),
            (false, true) => Interval::new(0, b.hi),
            (false, false) => all,
        },
        Operator::Or | Operator::Xor if a.lo >= 0 && b.lo >= 0 => {
            if operator == Operator::Xor {
                return alike(a, b, |x, y| x ^ y);
            }
            let high = alike(a, b, |x, y| x | y);
            Interval::new(max(high.lo, max(a.lo, b.lo)), high.hi)
        }
        Operator::Or | Operator::Xor => all,
        Operator::ShiftLeft if b.lo >= 0 && b.hi <= 31 => {
            exact(Interval::around([a.lo << b.lo, a.lo << b.hi, a.hi << b.lo, a.hi << b.hi]))
        }
        Operator::ShiftLeft => all,
        Operator::ShiftRight if b.lo >= 0 && b.hi <= 31 => {
            Interval::around([a.lo >> b.lo, a.lo >> b.hi, a.hi >> b.lo, a.hi >> b.hi])
        }
        // The count is taken modulo 32. A shift to the right moves values towards 0 or -1.
        Operator::ShiftRight => Interval::new(min(a.lo, 0), max(a.hi, 0)),
        Operator::Absolute if a.lo == all.lo && a.lo < 0 => all,
        Operator::Absolute if a.lo >= 0 => a,
        Operator::Absolute => Interval::new(max(0, -a.hi), max(a.hi, -a.lo)),
    }
}

/// The results of a bitwise operation on non-negative values. The upper bits that all values of each operand
/// share give fixed bits of the result; the bits below may be anything.
fn alike(a: Interval, b: Interval, operation: fn(i128, i128) -> i128) -> Interval {
    let differ = (a.lo ^ a.hi) | (b.lo ^ b.hi);
    let below = (1i128 << (128 - differ.leading_zeros())) - 1;
    let high = operation(a.lo, b.lo) & !below;
    Interval::new(high, high | below)
}

/// `a / b` rounded down, for a positive `b`.
pub(crate) fn floor_div(a: i128, b: i128) -> i128 {
    a.div_euclid(b)
}

/// `a / b` rounded up, for a positive `b`.
pub(crate) fn ceil_div(a: i128, b: i128) -> i128 {
    -((-a).div_euclid(b))
}

const UNBOUNDED: i128 = 1 << 80;

/// All integers up to a bound.
pub(crate) fn at_most(hi: i128) -> Interval {
    Interval::new(-UNBOUNDED, hi)
}

pub(crate) fn at_least(lo: i128) -> Interval {
    Interval::new(lo, UNBOUNDED)
}

/// The values of a symbol for which `step` times the symbol, plus some value in `rest`, lies in an interval.
pub(crate) fn room(step: i64, rest: Interval, within: Interval) -> Option<Interval> {
    let size = i128::from(step).abs();
    let (lo, hi) = if step > 0 {
        (within.lo - rest.lo, within.hi - rest.hi)
    } else {
        (rest.hi - within.hi, rest.lo - within.lo)
    };
    let found = Interval { lo: ceil_div(lo, size), hi: floor_div(hi, size) };
    (found.lo <= found.hi).then_some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// WGSL's result for one pair of values.
    fn wgsl(operator: Operator, ty: IntType, a: i128, b: i128) -> i128 {
        fn signed(operator: Operator, a: i32, b: i32) -> i32 {
            match operator {
                Operator::Multiply => a.wrapping_mul(b),
                Operator::Divide if b == 0 => a,
                Operator::Divide => a.wrapping_div(b),
                Operator::Remainder if b == 0 => 0,
                Operator::Remainder => a.wrapping_rem(b),
                Operator::Minimum => a.min(b),
                Operator::Maximum => a.max(b),
                Operator::And => a & b,
                Operator::Or => a | b,
                Operator::Xor => a ^ b,
                Operator::ShiftLeft => a.wrapping_shl(b as u32),
                Operator::ShiftRight => a.wrapping_shr(b as u32),
                Operator::Absolute => a.wrapping_abs(),
            }
        }
        fn unsigned(operator: Operator, a: u32, b: u32) -> u32 {
            match operator {
                Operator::Multiply => a.wrapping_mul(b),
                Operator::Divide => a.checked_div(b).unwrap_or(a),
                Operator::Remainder => a.checked_rem(b).unwrap_or(0),
                Operator::Minimum => a.min(b),
                Operator::Maximum => a.max(b),
                Operator::And => a & b,
                Operator::Or => a | b,
                Operator::Xor => a ^ b,
                Operator::ShiftLeft => a.wrapping_shl(b),
                Operator::ShiftRight => a.wrapping_shr(b),
                Operator::Absolute => a,
            }
        }
        match ty {
            IntType::U32 => unsigned(operator, a as u32, b as u32).into(),
            IntType::I32 => signed(operator, a as i32, b as u32 as i32).into(),
        }
    }

    fn operator() -> impl Strategy<Value = Operator> {
        prop::sample::select(vec![
            Operator::Multiply,
            Operator::Divide,
            Operator::Remainder,
            Operator::Minimum,
            Operator::Maximum,
            Operator::And,
            Operator::Or,
            Operator::Xor,
            Operator::ShiftLeft,
            Operator::ShiftRight,
            Operator::Absolute,
        ])
    }

    /// Values near the ends and special values of the type, and others.
    fn value(ty: IntType) -> impl Strategy<Value = i128> {
        let range = ty.range();
        (0..4, -40i128..40, range.lo..=range.hi).prop_map(move |(kind, near, any)| {
            let v = match kind {
                0 => near,
                1 => range.lo + near,
                2 => range.hi + near,
                _ => any,
            };
            v.clamp(range.lo, range.hi)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn results_are_inside_for_every_operator(
            (ty, operator, a, b) in prop::sample::select(vec![IntType::U32, IntType::I32])
                .prop_flat_map(|ty| {
                    let count = prop_oneof![value(IntType::U32), 0..40i128].boxed();
                    let other = value(ty).boxed();
                    (Just(ty), operator(), [value(ty), value(ty), value(ty)]).prop_flat_map(
                        move |(ty, op, a)| {
                            let b = match op {
                                Operator::ShiftLeft | Operator::ShiftRight => count.clone(),
                                _ => other.clone(),
                            };
                            (Just(ty), Just(op), Just(a), [b.clone(), b.clone(), b])
                        },
                    )
                })
        ) {
            let sort = |mut v: [i128; 3]| { v.sort_unstable(); v };
            let (a, b) = (sort(a), sort(b));
            let result = apply(operator, ty, Interval::new(a[0], a[2]), Interval::new(b[0], b[2]));
            prop_assert!(ty.range().contains(result));
            for x in a {
                for y in b {
                    let got = wgsl(operator, ty, x, y);
                    prop_assert!(
                        result.contains(Interval::single(got)),
                        "{operator:?} {ty:?} {x} {y} = {got}, not in {result:?}"
                    );
                }
            }
        }
    }
}
