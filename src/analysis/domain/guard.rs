//! Guards: conditions as linear inequalities over dimensions that hold exactly where the condition holds.
//!
//! [`refine`](super::refine::refine) may lose a part of a condition; [`guards`] is exact, or fails.

use std::rc::Rc;

use super::interval::{IntType, Interval, at_least, at_most};
use super::knowledge::Knowledge;
use super::linear::Linear;
use super::refine::refine;
use super::symbols::Symbols;
use super::value::Condition;

/// A list of bounds on forms, shared between paths.
pub(crate) type Guards = Rc<Vec<Guard>>;

/// A linear inequality over dimensions: `form`, without a constant, lies in the interval.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Guard {
    pub(crate) form: Linear,
    pub(crate) within: Interval,
    /// Whether every execution that reaches the condition meets it anyway.
    pub(crate) always: bool,
}

/// Appends to `list` the condition, or its contrary, as linear inequalities over dimensions that are exactly
/// equivalent on this path. False if there are none. `always` says whether every execution that reaches the
/// condition meets it, if the caller knows.
pub(crate) fn guards(
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
    // A condition that always holds needs no guard, but one may help to show the pattern.
    let always = always.unwrap_or_else(|| !refine(&mut known.clone(), symbols, condition, !truth));
    match simple {
        Some((form, within)) => {
            list.push(Guard { form, within, always });
            true
        }
        None => always,
    }
}

/// `a - b` as a form without its constant, and the interval in which that form lies.
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
