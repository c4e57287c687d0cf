//! Assumptions about the integers that a loop changes, at the head of every iteration.
//!
//! An assumption is an interval, or `entry + step * turn`. After a pass over the body, [`came_back`] says whether each
//! assumption was met; [`stepped`] and [`daring`] make better ones, and [`wider`] makes weaker ones.

use std::rc::Rc;

use crate::analysis::domain::{
    Definition, IntType, Interval, Knowledge, Linear, Operator, State, Symbol, Symbols, Value,
    at_least, residue,
};
use crate::analysis::text::steps::{Loop, Trend};

/// Passes in which widening takes the hull with the values that came back, before it goes to the type's ends.
pub(crate) const PATIENCE: u32 = 2;

/// An integer that the loop may change.
pub(crate) struct Leaf {
    pub(crate) variable: usize,
    pub(crate) path: Vec<usize>,
    pub(crate) ty: IntType,
    pub(crate) trend: Trend,
    pub(crate) entry: Linear,
    /// Whether `entry` equals the value as a mathematical integer, and not only modulo 2³².
    pub(crate) exact: bool,
    /// The value's range at the entry.
    pub(crate) range: Interval,
}

/// The assumption about a leaf at the head of each iteration.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Head {
    Within(Interval),
    /// The entry's value plus `step` per iteration, modulo 2³². With an interval: the value lies in it, and
    /// reaches it without wrapping around.
    Step {
        step: i64,
        within: Option<Interval>,
    },
}

/// The value of a leaf that came back to the head.
pub(crate) struct Back {
    /// The constant that was added, if the iteration did nothing else to the leaf.
    pub(crate) step: Option<i64>,
    pub(crate) range: Interval,
    /// Whether the assumption held.
    pub(crate) met: bool,
    /// Whether the value rose or fell by at least one without wrapping around.
    pub(crate) progress: bool,
}

/// The step, and the hull of a leaf's value at the entry and the value that came back.
pub(crate) type Came = (Option<i64>, Interval);

/// The integers of the variables that a loop stores to. All other parts of these variables are forgotten.
pub(crate) fn leaves_of(symbols: &Symbols, inner: &Loop, entry: &mut State) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    for &(variable, trend) in &inner.modified {
        let value = entry.variables[variable].clone();
        let mut path = Vec::new();
        collect(symbols, &value, variable, trend, &mut path, entry, &mut leaves);
    }
    leaves
}

fn collect(
    symbols: &Symbols,
    value: &Value,
    variable: usize,
    trend: Trend,
    path: &mut Vec<usize>,
    entry: &mut State,
    leaves: &mut Vec<Leaf>,
) {
    match value {
        Value::Int(ty, form) => {
            let (range, shift) = entry.known.value_range(symbols, form, *ty);
            leaves.push(Leaf {
                variable,
                path: path.clone(),
                ty: *ty,
                trend,
                entry: form.plus_constant(-shift.unwrap_or(0)),
                exact: shift.is_some(),
                range,
            });
        }
        Value::Many(parts) => {
            for (i, part) in parts.iter().enumerate() {
                path.push(i);
                collect(symbols, part, variable, trend, path, entry, leaves);
                path.pop();
            }
        }
        Value::Bool(_) | Value::Unknown => {}
    }
}

/// A symbol for the number of iterations before this one, if a leaf bounds it.
pub(crate) fn turn(
    symbols: &mut Symbols,
    known: &mut Knowledge,
    leaves: &[Leaf],
    heads: &[Head],
) -> Option<Symbol> {
    let last = leaves.iter().zip(heads).filter_map(|(leaf, head)| match head {
        Head::Step { step, within: Some(within) } if *step > 0 => {
            Some((within.hi - leaf.range.lo) / i128::from(*step))
        }
        Head::Step { step, within: Some(within) } if *step < 0 => {
            Some((leaf.range.hi - within.lo) / i128::from(-*step))
        }
        _ => None,
    });
    let turns = Interval::new(0, last.min()?.max(0));
    Some(known.opaque(symbols, IntType::U32, turns))
}

/// The form of a leaf at the head, as a mathematical integer if it cannot wrap around.
pub(crate) fn head(
    symbols: &mut Symbols,
    known: &mut Knowledge,
    leaf: &Leaf,
    head: &Head,
    turn: Option<Symbol>,
) -> Linear {
    match (head, turn) {
        (Head::Within(within), _) => Linear::symbol(known.opaque(symbols, leaf.ty, *within)),
        (Head::Step { step: 0, .. }, _) => leaf.entry.clone(),
        (Head::Step { step, within }, Some(turn)) => {
            let form = leaf.entry.plus(&Linear::from_terms(0, &[(turn, *step)]), 1);
            if let Some(within) = within {
                // It holds for every iteration. An empty meet would mean that no iteration is reached.
                known.refine(symbols, &form, *within);
            }
            form
        }
        (Head::Step { .. }, None) => {
            let all = leaf.ty.range();
            Linear::symbol(known.opaque(symbols, leaf.ty, all))
        }
    }
}

pub(crate) fn came_back(
    symbols: &Symbols,
    state: &mut State,
    leaf: &Leaf,
    head: &Head,
    form: &Linear,
) -> Back {
    let Value::Int(ty, back) = at_path(&state.variables[leaf.variable], &leaf.path) else {
        let all = leaf.ty.range();
        let met = matches!(head, Head::Within(within) if within.contains(all));
        return Back { step: None, range: all, met, progress: false };
    };
    let (range, _) = state.known.value_range(symbols, &back, ty);
    let step = back.plus(form, -1).wrapped().as_constant().map(residue);
    // The same as mathematical integers, if neither wraps around.
    let before = state.known.unwrapped(symbols, form, ty);
    let after = state.known.unwrapped(symbols, &back, ty);
    let change = match (before, after) {
        (Some(before), Some(after)) => Some(state.known.bounds(symbols, &after.plus(&before, -1))),
        _ => None,
    };
    let halved = halved(symbols, &mut state.known, form, &back, ty);
    let progress = halved || change.is_some_and(|c| c.lo >= 1 || c.hi <= -1);
    let met = match head {
        Head::Within(within) => within.contains(range),
        Head::Step { step: assumed, within } => {
            step == Some(*assumed)
                && within.is_none_or(|within| {
                    let next = form.plus_constant(*assumed);
                    within.contains(state.known.bounds(symbols, &next))
                })
        }
    };
    Back { step, range, met, progress }
}

/// Whether the value that came back is the head's value, which is above 0, divided by 2 or more.
fn halved(
    symbols: &Symbols,
    known: &mut Knowledge,
    form: &Linear,
    back: &Linear,
    ty: IntType,
) -> bool {
    let [(symbol, 1)] = back.terms() else { return false };
    let Definition::Operation(Operator::Divide, dividend, divisor) =
        &symbols.infos[*symbol as usize].definition
    else {
        return false;
    };
    back.k == 0
        && *dividend == form.clone().wrapped()
        && divisor.as_constant().is_some_and(|d| d >= 2)
        && known.value_range(symbols, form, ty).0.meet(at_least(1))
            == Some(known.value_range(symbols, form, ty).0)
}

/// Better assumptions from a pass: a step if there is one, and intervals no larger than needed. `None` if a
/// leaf that did not meet its assumption has no step either.
pub(crate) fn stepped(leaves: &[Leaf], heads: &[Head], back: &[Back]) -> Option<Vec<Head>> {
    let bounded = |i: usize| {
        let leaf = &leaves[i];
        let moving = back[i].step.is_some_and(|s| s != 0);
        match &heads[i] {
            Head::Within(_) if moving && leaf.exact && back[i].met && back[i].progress => {
                Some(leaf.range.hull(back[i].range))
            }
            Head::Step { within, .. } => *within,
            Head::Within(_) => None,
        }
    };
    let counted = (0..leaves.len()).any(|i| bounded(i).is_some());
    let mut better = Vec::new();
    for (i, leaf) in leaves.iter().enumerate() {
        better.push(match back[i].step {
            Some(0) => Head::Step { step: 0, within: None },
            Some(step) if counted => Head::Step { step, within: bounded(i) },
            // A fresh leaf's value at the start of an iteration does not matter.
            _ if leaf.trend == Trend::Fresh => heads[i].clone(),
            _ if back[i].met => Head::Within(leaf.range.hull(back[i].range)),
            _ => return None,
        });
    }
    Some(better)
}

/// Whether earlier assumptions are met, and the values that came back are no better than then.
pub(crate) fn settled(leaves: &[Leaf], before: &[Came], back: &[Back]) -> bool {
    leaves.iter().zip(before).zip(back).all(|((leaf, (step, range)), back)| {
        let no_better = back.step == *step && leaf.range.hull(back.range).contains(*range);
        back.met && (no_better || leaf.trend == Trend::Fresh)
    })
}

pub(crate) fn steps(heads: &[Head]) -> usize {
    heads.iter().filter(|h| matches!(h, Head::Step { .. })).count()
}

/// An assumption for a step that the loop's condition follows. The value may wrap around before the condition
/// is tested; that it never does is worth assuming once.
fn dare(leaf: &Leaf, back: &Back) -> Option<Head> {
    let all = leaf.ty.range();
    let step = i128::from(back.step?);
    if step > 0 && all.hi - step >= leaf.range.hi {
        return Some(Head::Within(Interval::new(leaf.range.lo, all.hi - step)));
    }
    if step < 0 && all.lo - step <= leaf.range.lo {
        return Some(Head::Within(Interval::new(all.lo - step, leaf.range.hi)));
    }
    None
}

pub(crate) fn daring(leaves: &[Leaf], heads: &[Head], back: &[Back]) -> Option<Vec<Head>> {
    let dared: Vec<Head> = (0..leaves.len())
        .map(|i| match &heads[i] {
            Head::Within(_) => dare(&leaves[i], &back[i]).unwrap_or_else(|| heads[i].clone()),
            head => head.clone(),
        })
        .collect();
    (dared != heads).then_some(dared)
}

/// Weaker assumptions (widening) after a pass that did not meet them.
pub(crate) fn wider(leaves: &[Leaf], heads: &[Head], back: &[Back], round: u32) -> Vec<Head> {
    let widen = |i: usize| {
        let (leaf, head) = (&leaves[i], &heads[i]);
        if back[i].met {
            return head.clone();
        }
        let all = leaf.ty.range();
        let Head::Within(within) = head else { return Head::Within(all) };
        let hull = within.hull(back[i].range);
        if round == 0
            && let Some(dared) = dare(leaf, &back[i])
        {
            return dared;
        }
        Head::Within(if round < PATIENCE {
            hull
        } else if round < 2 * PATIENCE {
            Interval {
                lo: if hull.lo < within.lo { all.lo } else { hull.lo },
                hi: if hull.hi > within.hi { all.hi } else { hull.hi },
            }
        } else {
            all
        })
    };
    (0..leaves.len()).map(widen).collect()
}

/// The shape of a value, without its values.
pub(crate) fn forgotten(value: &Value) -> Value {
    match value {
        Value::Many(parts) => Value::Many(Rc::new(parts.iter().map(forgotten).collect())),
        _ => Value::Unknown,
    }
}

pub(crate) fn replace(value: &mut Value, path: &[usize], new: Value) {
    match (path.split_first(), value) {
        (None, value) => *value = new,
        (Some((&first, rest)), Value::Many(parts)) => {
            if let Some(part) = Rc::make_mut(parts).get_mut(first) {
                replace(part, rest, new);
            }
        }
        _ => {}
    }
}

fn at_path(value: &Value, path: &[usize]) -> Value {
    path.iter().fold(value.clone(), |value, &i| value.component(i))
}
