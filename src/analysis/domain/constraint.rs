//! Constraints: bounds on linear forms of several symbols.
//!
//! A constraint is kept in a normal form, so that two bounds on multiples of one form are bounds on the same form.
//! [`Constraint::take`] splits another form into a multiple of the constrained form and a rest.

use super::interval::{Interval, ceil_div, floor_div};
use super::linear::{Linear, gcd_of};

/// Forms with larger coefficients are not split.
const MAX_COEFFICIENT: i64 = 1 << 40;

/// `lo <= form <= hi`. The form has at least two symbols and no constant; its coefficients have no common
/// divisor, and the first one is positive.
#[derive(Debug, Clone)]
pub(crate) struct Constraint {
    pub(crate) form: Linear,
    pub(crate) lo: i128,
    pub(crate) hi: i128,
    /// The mask of the form's symbols.
    pub(crate) mask: u64,
}

/// A bit for each symbol, modulo 64: forms without a common bit have no common symbol.
pub(crate) fn mask(form: &Linear) -> u64 {
    form.terms().iter().fold(0, |mask, term| mask | 1 << (term.0 % 64))
}

impl Constraint {
    pub(crate) fn new(form: &Linear, to: Interval) -> Option<Constraint> {
        let terms = form.terms();
        if terms.len() < 2 {
            return None;
        }
        let divisor = gcd_of(terms) * terms[0].1.signum();
        let terms: Vec<_> = terms.iter().map(|t| (t.0, t.1 / divisor)).collect();
        let (lo, hi) = (to.lo - i128::from(form.k), to.hi - i128::from(form.k));
        let d = i128::from(divisor);
        let (lo, hi) = if d > 0 {
            (ceil_div(lo, d), floor_div(hi, d))
        } else {
            (ceil_div(-hi, -d), floor_div(-lo, -d))
        };
        // No multiple lies in the interval: the constraint is empty, and is kept as such.
        let form = Linear::from_terms(0, &terms);
        Some(Constraint { mask: mask(&form), form, lo, hi })
    }

    /// A multiple of the constrained form that leaves fewer terms of `form`: its factor, and the rest.
    pub(crate) fn take(&self, form: &Linear) -> Option<(i64, Linear)> {
        if self.lo > self.hi {
            return None;
        }
        let terms = self.form.terms();
        for &(symbol, c) in terms {
            let d = form.coefficient(symbol);
            if d == 0 || d % c != 0 {
                continue;
            }
            let factor = d / c;
            // The number of terms that the split removes.
            let mut fewer = 0;
            for &(symbol, c) in terms {
                let (d, part) = (form.coefficient(symbol), factor.saturating_mul(c));
                // The rest's coefficients must stay small enough to compute with.
                if part.abs() > MAX_COEFFICIENT || d.abs() > MAX_COEFFICIENT {
                    return None;
                }
                fewer += match (d == part, d) {
                    (true, _) => 1,
                    (false, 0) => -1,
                    _ => 0,
                };
            }
            if fewer > 0 {
                return Some((factor, form.plus(&self.form, -factor)));
            }
        }
        None
    }

    /// The bounds of a multiple of the constrained form.
    pub(crate) fn times(&self, factor: i64) -> Interval {
        Interval::new(self.lo, self.hi).scaled(factor.into())
    }
}
