//! Linear forms over symbols: `k + c₁ s₁ + c₂ s₂ + …`.
//!
//! A symbol stands for one value of one execution and never changes. A form has two meanings. As the value of a
//! 32-bit integer it counts modulo 2³²; addition, subtraction and multiplication by a constant are exact, with
//! or without wrap-around, and [`Linear::wrapped`] keeps its coefficients small. As a mathematical integer (a
//! bound, an index that cannot wrap) it has its exact value. `knowledge` has the symbols' bounds, and turns the
//! first meaning into the second.

use std::rc::Rc;

use super::interval::MODULUS;

/// The index of a symbol in `symbols::Symbols`.
pub(crate) type Symbol = u32;

/// `k` plus the terms, which are sorted by symbol and have no zero coefficient. A clone is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Linear {
    pub(crate) k: i64,
    terms: Option<Rc<[(Symbol, i64)]>>,
}

impl Linear {
    pub(crate) fn constant(k: i64) -> Linear {
        Linear { k, terms: None }
    }

    pub(crate) fn symbol(symbol: Symbol) -> Linear {
        Linear { k: 0, terms: Some(Rc::new([(symbol, 1)])) }
    }

    pub(crate) fn from_terms(k: i64, terms: &[(Symbol, i64)]) -> Linear {
        debug_assert!(terms.is_sorted_by(|a, b| a.0 < b.0));
        Linear { k, terms: (!terms.is_empty()).then(|| terms.into()) }
    }

    pub(crate) fn terms(&self) -> &[(Symbol, i64)] {
        self.terms.as_deref().unwrap_or(&[])
    }

    /// The value, if the form has no symbol.
    pub(crate) fn as_constant(&self) -> Option<i64> {
        self.terms.is_none().then_some(self.k)
    }

    pub(crate) fn coefficient(&self, symbol: Symbol) -> i64 {
        let terms = self.terms();
        terms.binary_search_by_key(&symbol, |t| t.0).map_or(0, |at| terms[at].1)
    }

    pub(crate) fn plus_constant(&self, k: i64) -> Linear {
        Linear { k: self.k + k, terms: self.terms.clone() }
    }

    /// `self + factor * other`. Callers keep coefficients below 2³⁴ and factors below 2³¹, or else the products
    /// below 2³⁴.
    pub(crate) fn plus(&self, other: &Linear, factor: i64) -> Linear {
        let k = self.k + factor * other.k;
        if other.terms.is_none() || factor == 0 {
            return Linear { k, terms: self.terms.clone() };
        }
        if self.terms.is_none() && factor == 1 {
            return Linear { k, terms: other.terms.clone() };
        }
        let (a, b) = (self.terms(), other.terms());
        let mut sum = Vec::with_capacity(a.len() + b.len());
        let (mut i, mut j) = (0, 0);
        while i < a.len() || j < b.len() {
            if j == b.len() || (i < a.len() && a[i].0 < b[j].0) {
                sum.push(a[i]);
                i += 1;
            } else if i == a.len() || b[j].0 < a[i].0 {
                sum.push((b[j].0, factor * b[j].1));
                j += 1;
            } else {
                let c = a[i].1 + factor * b[j].1;
                if c != 0 {
                    sum.push((a[i].0, c));
                }
                i += 1;
                j += 1;
            }
        }
        Linear::from_terms(k, &sum)
    }

    /// The form modulo 2³², with all coefficients and `k` in -2³¹..2³¹.
    pub(crate) fn wrapped(self) -> Linear {
        if residue(self.k) == self.k && self.terms().iter().all(|t| residue(t.1) == t.1) {
            return self;
        }
        let terms: Vec<_> =
            self.terms().iter().map(|t| (t.0, residue(t.1))).filter(|t| t.1 != 0).collect();
        Linear::from_terms(residue(self.k), &terms)
    }

    /// `factor * self` modulo 2³².
    pub(crate) fn scaled_wrapped(&self, factor: i64) -> Linear {
        Linear::constant(0).plus(self, residue(factor)).wrapped()
    }
}

/// The residue modulo 2³² in -2³¹..2³¹.
pub(crate) fn residue(k: i64) -> i64 {
    i64::from(k as i32)
}

/// The greatest common divisor of the coefficients' magnitudes; 0 without terms.
pub(crate) fn gcd_of(terms: &[(Symbol, i64)]) -> i64 {
    fn gcd(a: i64, b: i64) -> i64 {
        if b == 0 { a } else { gcd(b, a % b) }
    }
    terms.iter().fold(0, |g, t| gcd(g, t.1.abs()))
}

const _: () = assert!(MODULUS == 1 << 32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_merge_sort_and_drop_zeros() {
        let a = Linear::from_terms(1, &[(1, 2), (3, 4)]);
        let b = Linear::from_terms(5, &[(2, 1), (3, 2)]);
        assert_eq!(a.plus(&b, -2), Linear::from_terms(-9, &[(1, 2), (2, -2)]));
        assert_eq!(a.plus(&a, -1).as_constant(), Some(0));
    }

    #[test]
    fn wrapping_keeps_the_residue() {
        let x = Linear::from_terms(0xFFFF_FFFF, &[(0, 0xFFFF_FFFF), (1, 1 << 32)]);
        assert_eq!(x.wrapped(), Linear::from_terms(-1, &[(0, -1)]));
    }
}
