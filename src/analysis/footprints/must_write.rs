//! Sure writes: the elements that are surely written. They must never be over-approximated.
//!
//! Elements beyond a buffer's ends that are surely touched are found in the same way.
//!
//! The input is a list of stores of whole elements. Each has an index that is a linear form over dimensions
//! (components of workgroup and local ids, counters of counted loops), the range of each dimension, every
//! combination of which exists, and linear inequalities that say exactly which combinations execute the store.
//! The output is an interval of elements each of which some combination hits.
//!
//! The index is split into digits, as in a mixed-radix number: `Σ fᵢ Fᵢ`, where each `Fᵢ` is a form on
//! dimensions of its own that takes every integer of an interval, cut by the inequalities on `Fᵢ`. Digits that
//! fit together without a gap give an interval. Stores that differ in constants only (an unrolled loop) add
//! digits of constants. Stores that do not fit this pattern give no elements.

use std::ops::Range;

use super::access::Store;
use crate::analysis::domain::{Guard, Interval, Linear, Symbol, ceil_div, floor_div, gcd_of};

/// The longest interval of elements that are surely written and not in `read`.
pub(crate) fn surely_written(stores: &[&Store], read: &Range<u64>, elements: u64) -> Range<u64> {
    let mut pieces: Vec<Interval> = Vec::new();
    for cluster in clusters(stores) {
        match shown(&cluster) {
            Some(found) => pieces.push(found),
            None if cluster.len() > 1 => {
                pieces.extend(cluster.iter().filter_map(|&store| shown(&[store])));
            }
            None => {}
        }
    }
    pieces.sort_by_key(|p| p.lo);
    let mut joined: Vec<Interval> = Vec::new();
    for piece in pieces {
        match joined.last_mut() {
            Some(last) if piece.lo <= last.hi + 1 => last.hi = last.hi.max(piece.hi),
            _ => joined.push(piece),
        }
    }
    // Out of bounds, no element is written. A read element may be read before its write.
    let (start, end) = (i128::from(read.start), i128::from(read.end));
    let mut best = 0..0;
    for piece in joined {
        let Some(inside) = piece.meet(Interval { lo: 0, hi: i128::from(elements) - 1 }) else {
            continue;
        };
        let parts = if read.is_empty() {
            [inside.lo..inside.hi + 1, 0..0]
        } else {
            [inside.lo..(inside.hi + 1).min(start), inside.lo.max(end)..inside.hi + 1]
        };
        for part in parts {
            if part.end - part.start > best.end - best.start {
                best = part;
            }
        }
    }
    best.start as u64..best.end as u64
}

/// The range of elements that an access surely touches, not cut at the ends of its buffer.
pub(crate) fn reach(access: &Store) -> Option<Interval> {
    let all = || {
        // Every combination of values makes the access, so those with the least and the largest index do.
        let mut range = Interval::single(access.index.k.into());
        for &(symbol, c) in access.index.terms() {
            range = range.plus(values_of(access, symbol)?.scaled(c.into()));
        }
        access.guards.iter().all(|guard| guard.always).then_some(range)
    };
    shown(&[access]).or_else(all)
}

/// The elements that a cluster covers, by the first way that shows any.
fn shown(cluster: &[&Store]) -> Option<Interval> {
    let ways = [(true, false), (true, true), (false, false), (false, true)];
    ways.into_iter().find_map(|(all, reduce)| covered(cluster, all, reduce))
}

/// Groups of stores that differ in constants only.
fn clusters<'a>(stores: &[&'a Store]) -> Vec<Vec<&'a Store>> {
    let mut clusters: Vec<Vec<&Store>> = Vec::new();
    for &store in stores {
        let same = |other: &Store| {
            other.index.terms() == store.index.terms()
                && other.dimensions == store.dimensions
                && other.guards.len() == store.guards.len()
                && other.guards.iter().zip(store.guards.iter()).all(|(a, b)| a.form == b.form)
        };
        match clusters.iter_mut().find(|c| same(c[0])) {
            Some(cluster) => cluster.push(store),
            None => clusters.push(vec![store]),
        }
    }
    clusters
}

/// The intersection of inequalities on multiples of one form.
#[derive(Clone)]
struct Cut {
    /// A form without a constant, whose first coefficient is positive.
    form: Linear,
    within: Interval,
}

/// The inequalities of a store, one for each form. `None` if no integer meets one of them.
fn cuts(guards: &[Guard], all: bool, reduce: bool) -> Option<Vec<Cut>> {
    let mut cuts: Vec<Cut> = Vec::new();
    for guard in guards.iter().filter(|g| all || !g.always) {
        let terms = guard.form.terms();
        if terms.is_empty() {
            guard.within.meet(Interval::single(0))?;
            continue;
        }
        let divisor = if reduce { gcd_of(terms) } else { 1 } * terms[0].1.signum();
        let normal: Vec<_> = terms.iter().map(|t| (t.0, t.1 / divisor)).collect();
        let form = Linear::from_terms(0, &normal);
        let within = saturated(divided(guard.within, divisor.into())?);
        match cuts.iter_mut().find(|c| c.form == form) {
            Some(cut) => cut.within = cut.within.meet(within)?,
            None => cuts.push(Cut { form, within }),
        }
    }
    Some(cuts)
}

/// The integers whose multiple by `divisor` lies in an interval.
fn divided(within: Interval, divisor: i128) -> Option<Interval> {
    let (lo, hi) = if divisor > 0 { (within.lo, within.hi) } else { (-within.hi, -within.lo) };
    let d = divisor.abs();
    let (lo, hi) = (ceil_div(lo, d), floor_div(hi, d));
    (lo <= hi).then_some(Interval { lo, hi })
}

/// A digit: a factor and the interval of integers that it multiplies.
struct Digit {
    factor: i128,
    values: Interval,
}

/// The elements that a cluster of stores covers without a gap, if that can be shown. `all` includes the
/// inequalities that hold anyway, which may show the digits. `reduce` divides the inequalities by the common
/// divisor of their coefficients; otherwise they keep their differences from store to store.
fn covered(cluster: &[&Store], all: bool, reduce: bool) -> Option<Interval> {
    let first = cluster[0];
    let reference = cuts(&first.guards, all, reduce)?;
    let (whole, own): (Vec<&Cut>, Vec<&Cut>) =
        reference.iter().partition(|c| on_index(&first.index, &c.form, reference.len()).is_some());

    // How far each store's forms are shifted against those of the first, and the remaining constants.
    let mut shifts: Vec<Vec<i128>> = Vec::with_capacity(cluster.len());
    let mut limits: Option<Vec<Interval>> = None;
    for store in cluster {
        let these = cuts(&store.guards, all, reduce)?;
        if these.len() != reference.len()
            || !these.iter().zip(&reference).all(|(a, b)| a.form == b.form)
        {
            return None;
        }
        let mut row = Vec::new();
        let mut rest = i128::from(store.index.k);
        let mut limit = Vec::new();
        for (cut, base) in these.iter().zip(&reference) {
            if let Some(sign) = on_index(&first.index, &cut.form, reference.len()) {
                // Compared as a bound on the index itself.
                let bound = cut.within.scaled(sign).plus(Interval::single(store.index.k.into()));
                limit.push(saturated(bound));
                continue;
            }
            let shift = shift_between(base.within, cut.within)?;
            let factor = multiple(&first.index, &cut.form)?;
            row.push(shift);
            rest -= factor * shift;
        }
        row.push(rest);
        shifts.push(row);
        if *limits.get_or_insert_with(|| limit.clone()) != limit {
            return None;
        }
    }
    let mut steps = product_of_progressions(&shifts)?;

    let mut digits = Vec::new();
    let (offset, rest_steps) = steps.pop()?;
    let mut used: Vec<Symbol> = Vec::new();
    for (cut, (start, steps)) in own.iter().zip(&steps) {
        if cut.form.terms().iter().any(|t| used.contains(&t.0)) {
            return None;
        }
        used.extend(cut.form.terms().iter().map(|t| t.0));
        let factor = multiple(&first.index, &cut.form)?;
        let mut parts = Vec::new();
        for &(symbol, c) in cut.form.terms() {
            let values = values_of(first, symbol)?;
            parts.push(Digit { factor: c.into(), values });
        }
        parts.extend(steps.iter().map(|s| Digit { factor: s.0, values: s.1 }));
        let values = together(parts, *start)?.meet(cut.within)?;
        digits.push(Digit { factor, values });
    }
    for &(symbol, c) in first.index.terms() {
        if !used.contains(&symbol) {
            digits.push(Digit { factor: c.into(), values: values_of(first, symbol)? });
        }
    }
    // Dimensions that only a bound on the whole index mentions are digits of the index.
    digits.extend(rest_steps.iter().map(|s| Digit { factor: s.0, values: s.1 }));
    let mut range = together(digits, offset)?;
    debug_assert_eq!(whole.len(), limits.as_ref().map_or(0, Vec::len));
    for limit in limits.unwrap_or_default() {
        range = range.meet(limit)?;
    }
    Some(range)
}

fn values_of(store: &Store, symbol: Symbol) -> Option<Interval> {
    store.dimensions.iter().find(|d| d.0 == symbol).map(|d| d.1)
}

/// The factor by which the part of `index` on the symbols of `form` is a multiple of `form`.
fn multiple(index: &Linear, form: &Linear) -> Option<i128> {
    let terms = form.terms();
    let (symbol, c) = terms[0];
    let d = index.coefficient(symbol);
    if d % c != 0 {
        return None;
    }
    let factor = i128::from(d / c);
    let same = |t: &(Symbol, i64)| i128::from(index.coefficient(t.0)) == factor * i128::from(t.1);
    terms.iter().all(same).then_some(factor)
}

/// The sign of the index in an inequality, one of several, that bounds the index as a whole. Such an inequality
/// needs no digit of its own; the other inequalities may need the index in parts.
fn on_index(index: &Linear, form: &Linear, inequalities: usize) -> Option<i128> {
    let sign = multiple(index, form)?;
    let whole = index.terms().len() == form.terms().len();
    (inequalities > 1 && sign.abs() == 1 && whole).then_some(sign)
}

/// A bound beyond this counts as none.
const FAR: i128 = 1 << 70;

/// The interval, with one representation of "no bound".
fn saturated(within: Interval) -> Interval {
    Interval {
        lo: if within.lo < -FAR { -2 * FAR } else { within.lo },
        hi: if within.hi > FAR { 2 * FAR } else { within.hi },
    }
}

/// The number that shifts the bounds `other` to `base`.
fn shift_between(base: Interval, other: Interval) -> Option<i128> {
    // A one-sided bound has one end to compare.
    let (low, high) = (base.lo - other.lo, base.hi - other.hi);
    match (base.lo.abs() < FAR, base.hi.abs() < FAR) {
        (true, true) => (low == high).then_some(low),
        (true, false) => Some(low),
        (false, true) => Some(high),
        (false, false) => Some(0),
    }
}

/// Constants of the form `start + Σ step * n`, where each `n` takes every value of an interval.
type Steps = (i128, Vec<(i128, Interval)>);

/// The progressions of each column, if the rows are all combinations of one set of numbers per column, and each
/// set is a sum of arithmetic progressions.
fn product_of_progressions(rows: &[Vec<i128>]) -> Option<Vec<Steps>> {
    let columns = rows[0].len();
    let mut distinct = rows.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let mut combinations = 1;
    let mut steps = Vec::new();
    for column in 0..columns {
        let mut set: Vec<i128> = rows.iter().map(|r| r[column]).collect();
        set.sort_unstable();
        set.dedup();
        combinations *= set.len();
        steps.push(progressions(&set)?);
    }
    (combinations == distinct.len()).then_some(steps)
}

/// A sorted set as a sum of arithmetic progressions, the smallest step first.
fn progressions(set: &[i128]) -> Option<Steps> {
    let start = *set.first()?;
    let mut rest: Vec<i128> = set.to_vec();
    let mut steps = Vec::new();
    while rest.len() > 1 {
        let step = rest[1] - rest[0];
        let run = (1..rest.len()).find(|&i| rest[i] != rest[0] + step * i as i128);
        let run = run.unwrap_or(rest.len());
        let blocks = rest.chunks(run);
        let regular = |block: &[i128]| {
            block.len() == run
                && block.iter().enumerate().all(|(i, &v)| v == block[0] + step * i as i128)
        };
        if !blocks.clone().all(regular) {
            return None;
        }
        steps.push((step, Interval::new(0, run as i128 - 1)));
        rest = blocks.map(|b| b[0]).collect();
    }
    Some((start, steps))
}

/// The interval of `offset + Σ factor * value`, if the values cover every integer in it.
fn together(mut digits: Vec<Digit>, offset: i128) -> Option<Interval> {
    digits.sort_by_key(|d| d.factor.abs());
    let mut range = Interval::single(offset);
    for digit in digits {
        let part = digit.values.scaled(digit.factor);
        let gap = digit.factor.abs() > range.hi - range.lo + 1;
        if gap && digit.values.lo != digit.values.hi {
            return None;
        }
        range = range.plus(part);
    }
    Some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_without_a_gap_give_an_interval_and_others_nothing() {
        let digit = |factor, lo, hi| Digit { factor, values: Interval::new(lo, hi) };
        assert_eq!(
            together(vec![digit(16, 2, 4), digit(1, 0, 15)], 5),
            Some(Interval::new(37, 84))
        );
        assert_eq!(together(vec![digit(16, 2, 4), digit(1, 0, 14)], 0), None);
        assert_eq!(together(vec![digit(16, 2, 2), digit(1, 0, 3)], 0), Some(Interval::new(32, 35)));
        assert_eq!(together(vec![digit(-1, 0, 3)], 10), Some(Interval::new(7, 10)));
        assert_eq!(together(vec![digit(2, 0, 3)], 0), None);
    }

    #[test]
    fn progressions_are_taken_apart_only_when_regular() {
        let one = |step, n: i128| (step, Interval::new(0, n - 1));
        assert_eq!(progressions(&[3, 5, 7]), Some((3, vec![one(2, 3)])));
        assert_eq!(
            progressions(&[0, 16, 100, 116, 200, 216]),
            Some((0, vec![one(16, 2), one(100, 3)]))
        );
        assert_eq!(progressions(&[0, 1, 3]), None);
        assert_eq!(progressions(&[0, 1, 5, 6, 9]), None);
    }
}
