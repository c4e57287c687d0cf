//! Refinement: the bounds that follow for a path's symbols when it passes a condition.
//!
//! [`refine`] adds only bounds that follow from the condition. `false` means that no execution of the path
//! meets it.

use std::rc::Rc;

use super::interval::{IntType, Interval, at_least, at_most};
use super::knowledge::Knowledge;
use super::linear::Linear;
use super::symbols::Symbols;
use super::value::Condition;

/// Adds a condition, or its contrary, to the knowledge of a path. False if no execution meets it.
pub(crate) fn refine(
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
        // One of the two holds. If one is impossible, the other holds.
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
