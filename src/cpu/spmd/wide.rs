//! Facts about a launch that a workgroup checks at run time: comparisons of integers.
//!
//! The numbers are computed in 64 bits from values that are uniform in the workgroup, where the kernel
//! computes in 32 bits and wraps. What always holds: if every comparison of a [`Facts`] is true, none of its
//! numbers overflowed. A back end evaluates `numbers` in order as wrapping i64, and `less` as a conjunction
//! of signed comparisons.

use crate::cpu::interpreter::functions::Reg;
use crate::kernel::BindingId;

/// A number, by its place in [`Facts::numbers`].
pub(in crate::cpu) type Number = u32;

/// How a number is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Wide {
    Constant(i64),
    /// A register that is uniform in the workgroup, as a u32.
    Register(Reg),
    /// The workgroup's id along an axis.
    Workgroup(u8),
    /// The number of elements of a storage binding.
    Length(BindingId),
    Add(Number, Number),
    Sub(Number, Number),
    Mul(Number, Number),
    Min(Number, Number),
    Max(Number, Number),
    /// Shifted right.
    Shr(Number, u32),
    /// Divided by a constant above zero.
    Div(Number, u32),
    /// The same number, which a comparison shows to be between 0 and 2^31.
    Held(Number),
}

/// Comparisons, and the numbers they compare.
#[derive(Debug, Clone, Default)]
pub(in crate::cpu) struct Facts {
    pub(in crate::cpu) numbers: Vec<Wide>,
    /// The first is less than the second.
    pub(in crate::cpu) less: Vec<(Number, Number)>,
    /// The range of each number, both ends included.
    ranges: Vec<(i64, i64)>,
}

/// A comparison that has to be true.
pub(super) type Less = (Number, Number);

/// The largest u32.
pub(super) const WORD: i64 = u32::MAX as i64;

/// The largest value of a `Held` number.
pub(super) const HELD: i64 = 1 << 31;

/// The largest magnitude of a number.
const LARGEST: i64 = 1 << 62;

impl Facts {
    /// Adds a number unless it is known already; `None` if it might be too large.
    pub(super) fn number(&mut self, wide: Wide) -> Option<Number> {
        let range = |n: Number| self.ranges[n as usize];
        let ends = |values: [Option<i64>; 4]| {
            let mut known = [0; 4];
            for (slot, value) in known.iter_mut().zip(values) {
                *slot = value?;
            }
            Some((*known.iter().min()?, *known.iter().max()?))
        };
        let (low, high) = match wide {
            Wide::Constant(value) => (value, value),
            Wide::Register(_) | Wide::Length(_) | Wide::Workgroup(_) => (0, WORD),
            Wide::Add(a, b) => {
                let (x, y) = (range(a), range(b));
                (x.0.checked_add(y.0)?, x.1.checked_add(y.1)?)
            }
            Wide::Sub(a, b) => {
                let (x, y) = (range(a), range(b));
                (x.0.checked_sub(y.1)?, x.1.checked_sub(y.0)?)
            }
            Wide::Mul(a, b) => {
                let (x, y) = (range(a), range(b));
                ends([
                    x.0.checked_mul(y.0),
                    x.0.checked_mul(y.1),
                    x.1.checked_mul(y.0),
                    x.1.checked_mul(y.1),
                ])?
            }
            Wide::Min(a, b) => (range(a).0.min(range(b).0), range(a).1.min(range(b).1)),
            Wide::Max(a, b) => (range(a).0.max(range(b).0), range(a).1.max(range(b).1)),
            Wide::Held(a) => range(a),
            Wide::Shr(a, by) => (range(a).0 >> by, range(a).1 >> by),
            Wide::Div(a, by) => {
                let by = i64::from(by);
                (range(a).0.div_euclid(by), range(a).1.div_euclid(by))
            }
        };
        let (low, high) = match wide {
            Wide::Held(_) => (low.clamp(0, HELD), high.clamp(0, HELD)),
            _ => (low, high),
        };
        if low < -LARGEST || high > LARGEST {
            return None;
        }
        let wide = if low == high { Wide::Constant(low) } else { self.simpler(wide) };
        if let Some(at) = self.numbers.iter().position(|known| *known == wide) {
            return Some(at as Number);
        }
        self.numbers.push(wide);
        self.ranges.push((low, high));
        Some((self.numbers.len() - 1) as Number)
    }

    /// The same number with a constant operand on the right.
    fn simpler(&self, wide: Wide) -> Wide {
        let constant = |n: Number| match self.numbers[n as usize] {
            Wide::Constant(value) => Some(value),
            _ => None,
        };
        match wide {
            Wide::Add(a, b) if constant(a).is_some() => Wide::Add(b, a),
            Wide::Mul(a, b) if constant(a).is_some() => Wide::Mul(b, a),
            other => other,
        }
    }

    pub(super) fn constant(&mut self, value: i64) -> Option<Number> {
        self.number(Wide::Constant(value))
    }

    pub(super) fn range(&self, n: Number) -> (i64, i64) {
        self.ranges[n as usize]
    }

    /// Adds `a < b` to `needs` unless it always holds. Returns false if it never holds.
    pub(super) fn less(&self, a: Number, b: Number, needs: &mut Vec<Less>) -> bool {
        let (x, y) = (self.range(a), self.range(b));
        if x.1 < y.0 {
            return true;
        }
        if x.0 >= y.1 {
            return false;
        }
        if !needs.contains(&(a, b)) {
            needs.push((a, b));
        }
        true
    }

    /// Drops comparisons that follow from others, and numbers that no comparison needs.
    pub(super) fn tidy(&mut self) {
        let less = std::mem::take(&mut self.less);
        let follows = |a: Number, b: Number| {
            let end = self.range(b).0;
            matches!(self.numbers[b as usize], Wide::Constant(_))
                && less.iter().any(|&(x, y)| x == a && y != b && self.range(y).1 <= end)
        };
        self.less = less.iter().copied().filter(|&(a, b)| !follows(a, b)).collect();
        let mut used = vec![false; self.numbers.len()];
        for &(a, b) in &self.less {
            used[a as usize] = true;
            used[b as usize] = true;
        }
        for at in (0..self.numbers.len()).rev() {
            if used[at] {
                for operand in self.numbers[at].operands().into_iter().flatten() {
                    used[operand as usize] = true;
                }
            }
        }
        let mut place = vec![0; used.len()];
        let mut next = 0;
        for (place, used) in place.iter_mut().zip(&used) {
            *place = next;
            next += u32::from(*used);
        }
        let keep = |n: Number| place[n as usize];
        let mut kept = used.iter();
        self.numbers.retain(|_| *kept.next().unwrap_or(&false));
        let mut kept = used.iter();
        self.ranges.retain(|_| *kept.next().unwrap_or(&false));
        for number in &mut self.numbers {
            *number = number.renumbered(&keep);
        }
        for (a, b) in &mut self.less {
            (*a, *b) = (keep(*a), keep(*b));
        }
    }
}

impl Wide {
    fn operands(self) -> [Option<Number>; 2] {
        match self {
            Wide::Constant(_) | Wide::Register(_) | Wide::Workgroup(_) | Wide::Length(_) => {
                [None, None]
            }
            Wide::Add(a, b)
            | Wide::Sub(a, b)
            | Wide::Mul(a, b)
            | Wide::Min(a, b)
            | Wide::Max(a, b) => [Some(a), Some(b)],
            Wide::Shr(a, _) | Wide::Div(a, _) | Wide::Held(a) => [Some(a), None],
        }
    }

    fn renumbered(self, keep: &dyn Fn(Number) -> Number) -> Wide {
        match self {
            Wide::Add(a, b) => Wide::Add(keep(a), keep(b)),
            Wide::Sub(a, b) => Wide::Sub(keep(a), keep(b)),
            Wide::Mul(a, b) => Wide::Mul(keep(a), keep(b)),
            Wide::Min(a, b) => Wide::Min(keep(a), keep(b)),
            Wide::Max(a, b) => Wide::Max(keep(a), keep(b)),
            Wide::Shr(a, by) => Wide::Shr(keep(a), by),
            Wide::Div(a, by) => Wide::Div(keep(a), by),
            Wide::Held(a) => Wide::Held(keep(a)),
            other => other,
        }
    }
}
