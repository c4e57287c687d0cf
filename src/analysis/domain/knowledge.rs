//! The knowledge of one path through the kernel about the symbols.
//!
//! A [`Knowledge`] bounds the symbols on one path: an interval for each, and constraints on linear forms of
//! several. Invariant: every execution that takes the path has its symbols inside all of these bounds.
//! Symbols never change, so no store invalidates a bound; a join of two paths takes hulls.

use std::ops::Range;

use super::constraint::{Constraint, mask};
use super::interval::{
    IntType, Interval, MODULUS, Operator, apply, at_least, at_most, ceil_div, floor_div, room,
};
use super::linear::{Linear, Symbol};
use super::symbols::{Definition, SymbolInfo, Symbols};
use crate::region::Region;

/// A symbol with a longer chain of definitions loses its definition.
const MAX_DEPTH: u8 = 24;
/// Beyond this number the oldest constraints are dropped.
const MAX_CONSTRAINTS: usize = 24;
/// The most bounds that one refinement tightens. It limits time and does not affect soundness.
const REFINE_FUEL: u32 = 48;

#[derive(Debug, Clone, Copy)]
struct Bound {
    lo: i64,
    hi: i64,
    /// The version of the knowledge for which the definition was last evaluated.
    seen: u32,
}

/// The knowledge of one path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Knowledge {
    bounds: Vec<Bound>,
    constraints: Vec<Constraint>,
    version: u32,
}

impl Knowledge {
    fn reserve(&mut self, symbols: &Symbols, count: usize) {
        // Symbols of other paths in between have no meaning here.
        for info in &symbols.infos[self.bounds.len().min(count)..count] {
            self.bounds.push(Bound { lo: info.range.0, hi: info.range.1, seen: 0 });
        }
    }

    /// A new symbol of which only an interval is known.
    pub(crate) fn opaque(&mut self, symbols: &mut Symbols, ty: IntType, known: Interval) -> Symbol {
        let range = (known.lo as i64, known.hi as i64);
        let definition = Definition::Opaque;
        let new = symbols.push(SymbolInfo { ty, definition, range, depth: 0, dimension: None });
        self.reserve(symbols, symbols.len());
        new
    }

    /// A new symbol that takes every value of an interval, whatever the other dimensions.
    pub(crate) fn dimension(&mut self, symbols: &mut Symbols, values: Interval) -> Symbol {
        let new = self.opaque(symbols, IntType::U32, values);
        symbols.infos[new as usize].dimension = Some((values.lo as i64, values.hi as i64));
        new
    }

    /// A new symbol for the value of an operator, whose operands are values of type `ty`.
    pub(crate) fn operation(
        &mut self,
        symbols: &mut Symbols,
        ty: IntType,
        operator: Operator,
        a: &Linear,
        b: &Linear,
    ) -> Symbol {
        let known = self.apply(symbols, ty, operator, a, b);
        let depth = symbols.depth_of(a).max(symbols.depth_of(b)) + 1;
        if depth > MAX_DEPTH {
            return self.opaque(symbols, ty, known);
        }
        let all = ty.range();
        let definition = Definition::Operation(operator, a.clone(), b.clone());
        let range = (all.lo as i64, all.hi as i64);
        let new = symbols.push(SymbolInfo { ty, definition, range, depth, dimension: None });
        self.reserve(symbols, symbols.len());
        let (lo, hi) = (known.lo as i64, known.hi as i64);
        self.bounds[new as usize] = Bound { lo, hi, seen: self.version };
        new
    }

    fn apply(
        &mut self,
        symbols: &Symbols,
        ty: IntType,
        operator: Operator,
        a: &Linear,
        b: &Linear,
    ) -> Interval {
        let shift = matches!(operator, Operator::ShiftLeft | Operator::ShiftRight);
        let (x, _) = self.value_range(symbols, a, ty);
        let (y, _) = self.value_range(symbols, b, if shift { IntType::U32 } else { ty });
        apply(operator, ty, x, y)
    }

    /// Bounds of a symbol.
    pub(crate) fn symbol(&mut self, symbols: &Symbols, symbol: Symbol) -> Interval {
        let at = symbol as usize;
        if at >= self.bounds.len() {
            self.reserve(symbols, at + 1);
        }
        let bound = self.bounds[at];
        let known = Interval { lo: bound.lo.into(), hi: bound.hi.into() };
        let info = &symbols.infos[at];
        if bound.seen == self.version {
            return known;
        }
        self.bounds[at].seen = self.version;
        let Definition::Operation(operator, a, b) = &info.definition else { return known };
        let derived = self.apply(symbols, info.ty, *operator, a, b);
        // An empty meet means that the path is never taken; then either bound is sound.
        let known = known.meet(derived).unwrap_or(known);
        self.bounds[at].lo = known.lo as i64;
        self.bounds[at].hi = known.hi as i64;
        known
    }

    /// Bounds of a form as a mathematical integer, from the bounds of its symbols alone.
    fn plain(&mut self, symbols: &Symbols, form: &Linear) -> Interval {
        let mut sum = Interval::single(form.k.into());
        for &(symbol, c) in form.terms() {
            sum = sum.plus(self.symbol(symbols, symbol).scaled(c.into()));
        }
        sum
    }

    /// Bounds of a form as a mathematical integer.
    pub(crate) fn bounds(&mut self, symbols: &Symbols, form: &Linear) -> Interval {
        let mut best = self.plain(symbols, form);
        let in_form = mask(form);
        let related = |c: &Constraint| c.mask & in_form != 0;
        if form.terms().len() < 2 || best.lo == best.hi || !self.constraints.iter().any(related) {
            return best;
        }
        // The form is split into multiples of constrained forms and a rest, in several ways.
        let count = self.constraints.len();
        for first in 0..count {
            if self.constraints[first].mask & in_form == 0 {
                continue;
            }
            let Some((factor, mut rest)) = self.constraints[first].take(form) else { continue };
            let mut sum = self.constraints[first].times(factor);
            let mut in_rest = mask(&rest);
            for next in (0..count).rev() {
                if rest.terms().len() < 2 {
                    break;
                }
                if next != first
                    && self.constraints[next].mask & in_rest != 0
                    && let Some((factor, less)) = self.constraints[next].take(&rest)
                {
                    (sum, rest) = (sum.plus(self.constraints[next].times(factor)), less);
                    in_rest = mask(&rest);
                }
            }
            let sum = sum.plus(self.plain(symbols, &rest));
            best = best.meet(sum).unwrap_or(best);
        }
        best
    }

    /// The elements that an index may mean, all of them in `within`. The index is split into digits: multiples
    /// of symbols or of constrained forms, each within its bounds. Of several splits, the one with the fewest
    /// elements.
    pub(crate) fn region(
        &mut self,
        symbols: &Symbols,
        index: &Linear,
        within: &Range<u64>,
    ) -> Region {
        if within.end - within.start <= 1 || index.terms().is_empty() {
            return Region::from(within.clone());
        }
        // Prefers fewer elements, and of similar numbers the simpler box.
        let cost = |region: &Region| region.len() as u128 * region.dims().max(2) as u128;
        let mut best = self.of_digits(symbols, Vec::new(), index, within);
        let count = if index.terms().len() < 2 { 0 } else { self.constraints.len() };
        for first in 0..count {
            let mut digits = Vec::new();
            let mut rest = index.clone();
            for next in std::iter::once(first).chain((0..count).rev().filter(|&n| n != first)) {
                if let Some((factor, less)) = self.constraints[next].take(&rest) {
                    let constraint = &self.constraints[next];
                    digits.push((factor, Interval::new(constraint.lo, constraint.hi)));
                    rest = less;
                } else if next == first {
                    break;
                }
            }
            if digits.is_empty() {
                continue;
            }
            let other = self.of_digits(symbols, digits, &rest, within);
            if cost(&other) < cost(&best) {
                best = other;
            }
        }
        best
    }

    /// The elements that an index in a range may denote, all of them in `within`. An index that may
    /// wrap around denotes other elements after each wrap.
    pub(crate) fn elements(
        &mut self,
        symbols: &Symbols,
        index: &Linear,
        (range, shift): (Interval, Option<i64>),
        within: &Range<u64>,
    ) -> Region {
        if let Some(shift) = shift {
            return self.region(symbols, &index.plus_constant(-shift), within);
        }
        let math = self.bounds(symbols, index);
        let turns = floor_div(math.lo - range.lo, MODULUS)..=floor_div(math.hi - range.lo, MODULUS);
        if turns.end() - turns.start() > 1 {
            return Region::from(within.clone());
        }
        let mut all = Region::default();
        for turn in turns {
            let shift = turn * MODULUS;
            let index = index.plus_constant(-shift as i64);
            let here = Interval::new(math.lo - shift, math.hi - shift);
            let inside = here.meet(Interval::new(within.start.into(), i128::from(within.end) - 1));
            if let Some(inside) = inside {
                let within = inside.lo as u64..inside.hi as u64 + 1;
                all.widen(&self.region(symbols, &index, &within));
            }
        }
        all
    }

    /// The box of `rest`, whose symbols are digits, and of `digits`.
    fn of_digits(
        &mut self,
        symbols: &Symbols,
        mut digits: Vec<(i64, Interval)>,
        rest: &Linear,
        within: &Range<u64>,
    ) -> Region {
        digits.extend(rest.terms().iter().map(|&(s, c)| (c, self.symbol(symbols, s))));
        let mut start = i128::from(rest.k);
        let mut dims = Vec::with_capacity(digits.len());
        for (factor, values) in digits {
            start += values.scaled(factor.into()).lo;
            dims.push((i128::from(factor).abs(), values.hi - values.lo + 1));
        }
        Region::of_box(start, &dims, within)
    }

    /// The range of a value of a type. If the form surely wraps around a fixed number of times, also the
    /// multiple of 2³² to subtract from the form to get the value.
    pub(crate) fn value_range(
        &mut self,
        symbols: &Symbols,
        form: &Linear,
        ty: IntType,
    ) -> (Interval, Option<i64>) {
        let all = ty.range();
        let math = self.bounds(symbols, form);
        let turns = floor_div(math.lo - all.lo, MODULUS);
        if turns == floor_div(math.hi - all.lo, MODULUS) {
            let shift = turns * MODULUS;
            (Interval::new(math.lo - shift, math.hi - shift), i64::try_from(shift).ok())
        } else {
            (all, None)
        }
    }

    /// The form as a mathematical integer that equals the value, if it surely wraps around a fixed number of
    /// times on this path.
    pub(crate) fn unwrapped(
        &mut self,
        symbols: &Symbols,
        form: &Linear,
        ty: IntType,
    ) -> Option<Linear> {
        let (_, shift) = self.value_range(symbols, form, ty);
        Some(form.plus_constant(-shift?))
    }

    /// Adds that a value of a type lies in an interval. False if that is impossible on this path.
    pub(crate) fn refine_value(
        &mut self,
        symbols: &Symbols,
        form: &Linear,
        ty: IntType,
        to: Interval,
    ) -> bool {
        let mut fuel = REFINE_FUEL;
        self.refine_value_with(symbols, form, ty, to, &mut fuel)
    }

    fn refine_value_with(
        &mut self,
        symbols: &Symbols,
        form: &Linear,
        ty: IntType,
        to: Interval,
        fuel: &mut u32,
    ) -> bool {
        let Some(to) = to.meet(ty.range()) else { return false };
        let math = self.bounds(symbols, form);
        // The form is the value plus a multiple of 2³². Find the possible multiples.
        let first = ceil_div(math.lo - to.hi, MODULUS);
        let last = floor_div(math.hi - to.lo, MODULUS);
        if first > last {
            return false;
        }
        if first < last {
            return true;
        }
        let shift = first * MODULUS;
        self.refine_with(symbols, form, Interval::new(to.lo + shift, to.hi + shift), fuel)
    }

    /// Adds that a form, as a mathematical integer, lies in an interval. False if that is impossible on this
    /// path.
    pub(crate) fn refine(&mut self, symbols: &Symbols, form: &Linear, to: Interval) -> bool {
        let mut fuel = REFINE_FUEL;
        self.refine_with(symbols, form, to, &mut fuel)
    }

    fn refine_with(
        &mut self,
        symbols: &Symbols,
        form: &Linear,
        to: Interval,
        fuel: &mut u32,
    ) -> bool {
        let known = self.bounds(symbols, form);
        let Some(to) = to.meet(known) else { return false };
        if to == known {
            return true;
        }
        let terms = form.terms();
        if terms.len() > 1 && !self.constrain(form, to) {
            return false;
        }
        self.version += 1;
        for &(symbol, c) in terms {
            // c * symbol = form - rest
            let mut rest = Interval::single(form.k.into());
            for &(other, d) in terms {
                if other != symbol {
                    rest = rest.plus(self.symbol(symbols, other).scaled(d.into()));
                }
            }
            let (lo, hi) = (to.lo - rest.hi, to.hi - rest.lo);
            let c = i128::from(c);
            let (lo, hi) = if c > 0 {
                (ceil_div(lo, c), floor_div(hi, c))
            } else {
                (ceil_div(-hi, -c), floor_div(-lo, -c))
            };
            if lo > hi || !self.tighten(symbols, symbol, Interval::new(lo, hi), fuel) {
                return false;
            }
        }
        true
    }

    /// Adds a bound on a symbol, and the bounds that follow for the operands of its definition.
    fn tighten(&mut self, symbols: &Symbols, symbol: Symbol, to: Interval, fuel: &mut u32) -> bool {
        let known = self.symbol(symbols, symbol);
        let Some(to) = known.meet(to) else { return false };
        if to == known {
            return true;
        }
        self.bounds[symbol as usize].lo = to.lo as i64;
        self.bounds[symbol as usize].hi = to.hi as i64;
        self.version += 1;
        if *fuel == 0 {
            return true;
        }
        *fuel -= 1;
        let info = &symbols.infos[symbol as usize];
        let Definition::Operation(operator, a, b) = &info.definition else { return true };
        let ty = info.ty;
        let (x, _) = self.value_range(symbols, a, ty);
        match operator {
            Operator::Minimum | Operator::Maximum => {
                let (y, _) = self.value_range(symbols, b, ty);
                let (near, far) = if *operator == Operator::Minimum {
                    // Both operands are at least the minimum. If one cannot be the minimum, the other
                    // is.
                    (at_least(to.lo), at_most(to.hi))
                } else {
                    (at_most(to.hi), at_least(to.lo))
                };
                let beyond = |side: Interval| far.meet(side).is_none();
                self.refine_value_with(symbols, a, ty, near, fuel)
                    && self.refine_value_with(symbols, b, ty, near, fuel)
                    && (!beyond(y) || self.refine_value_with(symbols, a, ty, far, fuel))
                    && (!beyond(x) || self.refine_value_with(symbols, b, ty, far, fuel))
            }
            Operator::Divide if x.lo >= 0 => {
                let Some(d) = b.as_constant().filter(|&d| d > 0) else { return true };
                let d = i128::from(d);
                let to = Interval::new(to.lo * d, to.hi * d + d - 1);
                self.refine_value_with(symbols, a, ty, to, fuel)
            }
            _ => true,
        }
    }

    /// Adds a constraint on a form of several symbols. False if it contradicts the known bounds.
    pub(crate) fn constrain(&mut self, form: &Linear, to: Interval) -> bool {
        let Some(new) = Constraint::new(form, to) else { return true };
        if let Some(old) = self.constraints.iter_mut().find(|c| c.form == new.form) {
            old.lo = old.lo.max(new.lo);
            old.hi = old.hi.min(new.hi);
            return old.lo <= old.hi;
        }
        if self.constraints.len() == MAX_CONSTRAINTS {
            self.constraints.remove(0);
        }
        let possible = new.lo <= new.hi;
        self.constraints.push(new);
        possible
    }

    /// The knowledge under the condition that the symbol `along` lies in `band`, without the constraints that
    /// tie it to other symbols. `None` if the path's bounds or a constraint cut the band, or if a constraint is
    /// on a symbol that `follows` from `along` and not on `along` itself.
    pub(crate) fn restricted(
        &self,
        symbols: &Symbols,
        along: Symbol,
        band: Interval,
        follows: impl Fn(Symbol) -> bool,
    ) -> Option<Restricted> {
        let mut known = self.clone();
        let path = known.symbol(symbols, along);
        if path.meet(band).is_none() {
            return Some(Restricted::Beside(if band.hi < path.lo {
                at_most(path.lo - 1)
            } else {
                at_least(path.hi + 1)
            }));
        }
        if !path.contains(band) {
            return None;
        }
        let mut span = path;
        let follows = |c: &Constraint| c.form.terms().iter().any(|t| follows(t.0));
        for constraint in std::mem::take(&mut known.constraints) {
            if !follows(&constraint) {
                known.constraints.push(constraint);
            }
        }
        for constraint in self.constraints.iter().filter(|c| follows(c)) {
            let step = constraint.form.coefficient(along);
            let rest = constraint.form.plus(&Linear::symbol(along), -step);
            let rest = known.bounds(symbols, &rest);
            if step == 0 || constraint.lo > constraint.hi {
                return None;
            }
            let room = room(step, rest, Interval::new(constraint.lo, constraint.hi))?;
            span = span.meet(room).filter(|_| room.contains(band))?;
        }
        known.version += 1;
        known.bounds[along as usize].lo = band.lo as i64;
        known.bounds[along as usize].hi = band.hi as i64;
        Some(Restricted::To(known, span))
    }

    /// Forgets the constraints on symbols that were made after the first `count`.
    pub(crate) fn forget_constraints(&mut self, count: usize) {
        let before = |term: &(Symbol, i64)| (term.0 as usize) < count;
        self.constraints.retain(|c| c.form.terms().iter().all(before));
    }

    /// The knowledge that holds on both of two paths. A symbol that exists on one path only keeps its bounds:
    /// values that live after the join do not refer to it on the other path.
    pub(crate) fn join(mut self, mut other: Knowledge, symbols: &Symbols) -> Knowledge {
        let version = self.version.max(other.version) + 1;
        let mut constraints = Vec::with_capacity(self.constraints.len());
        for this in [true, false] {
            let list = if this { &self.constraints } else { &other.constraints };
            for constraint in list.clone() {
                let known = constraints.iter().any(|c: &Constraint| c.form == constraint.form);
                let shared = |k: &Knowledge| {
                    constraint.form.terms().iter().all(|t| (t.0 as usize) < k.bounds.len())
                };
                if known || !shared(&self) || !shared(&other) {
                    continue;
                }
                let hull = self
                    .bounds(symbols, &constraint.form)
                    .hull(other.bounds(symbols, &constraint.form));
                constraints.push(Constraint { lo: hull.lo, hi: hull.hi, ..constraint });
            }
        }
        constraints.truncate(MAX_CONSTRAINTS);
        let common = self.bounds.len().min(other.bounds.len());
        let mut bounds = Vec::with_capacity(self.bounds.len().max(other.bounds.len()));
        for (a, b) in self.bounds.iter().zip(&other.bounds) {
            bounds.push(Bound { lo: a.lo.min(b.lo), hi: a.hi.max(b.hi), seen: 0 });
        }
        for longer in [&self, &other] {
            bounds.extend(longer.bounds[common..].iter().map(|b| Bound { seen: 0, ..*b }));
        }
        let mut joined = Knowledge { bounds, constraints: Vec::new(), version };
        constraints.retain(|c| {
            let plain = joined.plain(symbols, &c.form);
            plain.lo < c.lo || c.hi < plain.hi
        });
        joined.constraints = constraints;
        joined
    }
}

/// The knowledge of a path under the condition that a symbol lies in an interval.
pub(crate) enum Restricted {
    /// The knowledge, and the values of the symbol for which it would be the same.
    To(Knowledge, Interval),
    /// No execution with the symbol in this interval takes the path.
    Beside(Interval),
}
