//! What a condition says of the symbols of a path that it lets pass.
//!
//! [`refine`] only ever adds what follows from the condition; `false` means that no execution of
//! the path meets it. [`guards`] says a condition exactly, where that is a conjunction of linear
//! inequalities over dimensions.

use std::rc::Rc;

use super::interval::{IntType, Interval};
use super::linear::Linear;
use super::state::{Guard, Knowledge, Symbols, at_least, at_most};
use super::value::Condition;

/// Adds a condition, or its contrary, to what a path knows. False when no execution meets it.
pub(super) fn refine(
    known: &mut Knowledge,
    symbols: &Symbols,
    condition: &Rc<Condition>,
    truth: bool,
) -> bool {
    match (&**condition, truth) {
        (Condition::Known(value), _) => *value == truth,
        (Condition::Unknown, _) => true,
        (Condition::Not(inner), _) => refine(known, symbols, inner, !truth),
        (Condition::And(a, b, _), true) | (Condition::Or(a, b, _), false) => {
            refine(known, symbols, a, truth) && refine(known, symbols, b, truth)
        }
        // One of the two; which, is known if the other can't be.
        (Condition::And(a, b, _), false) | (Condition::Or(a, b, _), true) => {
            let (mut first, mut second) = (known.clone(), known.clone());
            let can_first = refine(&mut first, symbols, a, truth);
            let can_second =
                refine(&mut second, symbols, a, !truth) && refine(&mut second, symbols, b, truth);
            match (can_first, can_second) {
                (true, true) => *known = first.join(second, symbols),
                (true, false) => *known = first,
                (false, true) => *known = second,
                (false, false) => return false,
            }
            true
        }
        (Condition::Less(ty, a, b), true) => less(known, symbols, *ty, a, b, 1),
        (Condition::Less(ty, a, b), false) => less(known, symbols, *ty, b, a, 0),
        (Condition::Equal(ty, a, b), true) => equal(known, symbols, *ty, a, b),
        (Condition::Equal(ty, a, b), false) => different(known, symbols, *ty, a, b),
    }
}

/// Adds `a + gap <= b`.
fn less(
    known: &mut Knowledge,
    symbols: &Symbols,
    ty: IntType,
    a: &Linear,
    b: &Linear,
    gap: i128,
) -> bool {
    let (_, shift) = known.value_range(symbols, a, ty);
    let (y, other) = known.value_range(symbols, b, ty);
    if (shift.is_none() || b.as_constant().is_some())
        && !known.refine_value(symbols, a, ty, at_most(y.hi - gap))
    {
        return false;
    }
    let (x, _) = known.value_range(symbols, a, ty);
    if (other.is_none() || a.as_constant().is_some())
        && !known.refine_value(symbols, b, ty, at_least(x.lo + gap))
    {
        return false;
    }
    match (known.unwrapped(symbols, a, ty), known.unwrapped(symbols, b, ty)) {
        (Some(a), Some(b)) => known.refine(symbols, &a.plus(&b, -1), at_most(-gap)),
        _ => x.lo + gap <= y.hi,
    }
}

fn equal(known: &mut Knowledge, symbols: &Symbols, ty: IntType, a: &Linear, b: &Linear) -> bool {
    let (y, _) = known.value_range(symbols, b, ty);
    if !known.refine_value(symbols, a, ty, y) {
        return false;
    }
    let (x, _) = known.value_range(symbols, a, ty);
    if !known.refine_value(symbols, b, ty, x) {
        return false;
    }
    match (known.unwrapped(symbols, a, ty), known.unwrapped(symbols, b, ty)) {
        (Some(a), Some(b)) => known.refine(symbols, &a.plus(&b, -1), Interval::single(0)),
        _ => true,
    }
}

fn different(
    known: &mut Knowledge,
    symbols: &Symbols,
    ty: IntType,
    a: &Linear,
    b: &Linear,
) -> bool {
    let (Some(a), Some(b)) = (known.unwrapped(symbols, a, ty), known.unwrapped(symbols, b, ty))
    else {
        return true;
    };
    let difference = a.plus(&b, -1);
    let range = known.bounds(symbols, &difference);
    match (range.lo, range.hi) {
        (0, 0) => false,
        (0, _) => known.refine(symbols, &difference, at_least(1)),
        (_, 0) => known.refine(symbols, &difference, at_most(-1)),
        _ => true,
    }
}

/// The condition (or its contrary) as linear inequalities over dimensions that say exactly the
/// same on this path, appended to `list`. False if it is not so simple. `always`: whether the
/// condition holds of everybody who gets there, where the caller knows.
pub(super) fn guards(
    known: &mut Knowledge,
    symbols: &Symbols,
    condition: &Rc<Condition>,
    truth: bool,
    always: Option<bool>,
    list: &mut Vec<Guard>,
) -> bool {
    let simple = match (&**condition, truth) {
        (Condition::Not(inner), _) => {
            return guards(known, symbols, inner, !truth, always, list);
        }
        (Condition::And(a, b, _), true) | (Condition::Or(a, b, _), false) => {
            let before = list.len();
            let mut inner = known.clone();
            if guards(&mut inner, symbols, a, truth, None, list) {
                refine(&mut inner, symbols, a, truth);
                if guards(&mut inner, symbols, b, truth, None, list) {
                    return true;
                }
            }
            list.truncate(before);
            None
        }
        (Condition::Less(ty, a, b), _) => {
            let within = if truth { at_most(-1) } else { at_least(0) };
            guard(known, symbols, *ty, a, b, within)
        }
        (Condition::Equal(ty, a, b), true) => guard(known, symbols, *ty, a, b, Interval::single(0)),
        _ => None,
    };
    // A condition that always holds here needs no guard, but one may help to show the pattern.
    let always = always.unwrap_or_else(|| !refine(&mut known.clone(), symbols, condition, !truth));
    match simple {
        Some((form, within)) => {
            list.push(Guard { form, within, always });
            true
        }
        None => always,
    }
}

/// `a - b` lies in an interval: the form without its constant, and the interval for that.
fn guard(
    known: &mut Knowledge,
    symbols: &Symbols,
    ty: IntType,
    a: &Linear,
    b: &Linear,
    within: Interval,
) -> Option<(Linear, Interval)> {
    let a = known.unwrapped(symbols, a, ty)?;
    let b = known.unwrapped(symbols, b, ty)?;
    let form = a.plus(&b, -1);
    let dimension = |t: &(u32, i64)| symbols.infos[t.0 as usize].dimension.is_some();
    if !form.terms().iter().all(dimension) {
        return None;
    }
    let k = i128::from(form.k);
    let within = Interval::new(within.lo - k, within.hi - k);
    Some((Linear::from_terms(0, form.terms()), within))
}
