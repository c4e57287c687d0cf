//! Loops: the assumptions that hold at the head of every iteration, and whether the loop ends.
//!
//! The integers that a loop may change get assumptions at its head: an interval, or, once a pass over the body
//! has shown that every iteration adds a constant, `entry + step * turn`, where `turn`, the number of
//! iterations before, is one symbol for all of them. A pass walks the body under the assumptions and compares
//! the values that come back to the head. Invariant of the pass that counts: the values that came back
//! meet the assumptions, so by induction every iteration does. All other passes leave no trace.
//!
//! The assumptions that an earlier walk over a loop came to are tried first (`hints`).

use super::assumptions::{
    Back, Head, Leaf, PATIENCE, came_back, daring, forgotten, head, leaves_of, replace, settled,
    stepped, steps, turn, wider,
};
use super::machine::{EveryTurn, Iteration, Machine};
use crate::analysis::domain::{Interval, State, Value};
use crate::analysis::text::steps::{Loop, Trend};

/// Loops nested deeper than this are not improved a second time.
const DEEP: usize = 4;

struct Pass {
    after: Option<State>,
    /// `None` if there is no second iteration.
    back: Option<Vec<Back>>,
    trips: Option<i128>,
}

/// Walks a loop under assumptions that hold at the head of every iteration; `None` if control does not get past
/// it.
pub(crate) fn fixpoint(
    machine: &mut Machine<'_>,
    inner: &Loop,
    entry: &State,
    iteration: Iteration,
) -> Option<State> {
    let mut entry = entry.clone();
    let leaves = leaves_of(&machine.arithmetic.symbols, inner, &mut entry);
    if machine.fuel.hurries(inner.span) {
        return assume_nothing(machine, inner, &entry, &leaves, iteration);
    }
    let deep = inner.depth >= DEEP;
    let hint = machine.hints.borrow().find(inner.id, &leaves);
    if let Some((heads, before)) = hint {
        let mark = machine.mark();
        let pass = pass(machine, inner, &entry, (&leaves, &heads), iteration);
        if machine.fuel.is_spent() {
            return None;
        }
        let settled = |back: &Vec<Back>| settled(&leaves, &before, back);
        if pass.back.as_ref().is_none_or(settled) {
            return counts(machine, inner, pass);
        }
        machine.back_to(&mark);
    }
    let mut heads: Vec<Head> = leaves
        .iter()
        .map(|leaf| {
            let all = leaf.ty.range();
            Head::Within(match leaf.trend {
                Trend::Up => Interval::new(leaf.range.lo, all.hi),
                Trend::Down => Interval::new(all.lo, leaf.range.hi),
                Trend::Fresh => all,
                Trend::Other if deep => all,
                Trend::Other => leaf.range,
            })
        })
        .collect();
    // Assumptions that are known to be met, in case better ones are not.
    let mut safe: Option<Vec<Head>> = None;
    let mut tried = false;
    let mut improvements = 0;
    for round in 0u32.. {
        let mark = machine.mark();
        let pass = pass(machine, inner, &entry, (&leaves, &heads), iteration);
        if machine.fuel.is_spent() {
            return None;
        }
        let Some(back) = &pass.back else {
            return counts(machine, inner, pass);
        };
        let met = back.iter().all(|b| b.met);
        let better = if met && (tried || deep || improvements == 2) {
            None
        } else {
            let progress = back.iter().any(|b| b.progress);
            let stepped = stepped(&leaves, &heads, back);
            // A second improvement must be more than a smaller interval.
            let better = stepped.filter(|better| {
                let more = steps(better) > steps(&heads);
                !met || (*better != heads && (improvements == 0 || more))
            });
            better.or_else(|| (met && !progress).then(|| daring(&leaves, &heads, back))?)
        };
        if met && better.is_none() {
            machine.hints.borrow_mut().keep(inner.id, &leaves, &heads, back);
            return counts(machine, inner, pass);
        }
        // The pass does not count.
        machine.back_to(&mark);
        if machine.fuel.hurries(inner.span) {
            return assume_nothing(machine, inner, &entry, &leaves, iteration);
        }
        heads = match better {
            _ if tried => wider(&leaves, &heads, back, u32::MAX),
            Some(better) if met => {
                improvements += 1;
                safe = Some(heads);
                better
            }
            better => match (safe.take(), better) {
                (Some(safe), _) => {
                    tried = true;
                    safe
                }
                (None, Some(better)) => {
                    tried = round > PATIENCE;
                    better
                }
                (None, None) => wider(&leaves, &heads, back, round),
            },
        };
    }
    None
}

/// One pass without assumptions, so that its result always counts.
fn assume_nothing(
    machine: &mut Machine<'_>,
    inner: &Loop,
    entry: &State,
    leaves: &[Leaf],
    iteration: Iteration,
) -> Option<State> {
    let heads: Vec<Head> = leaves.iter().map(|leaf| Head::Within(leaf.ty.range())).collect();
    let pass = pass(machine, inner, entry, (leaves, &heads), iteration);
    if machine.fuel.is_spent() {
        return None;
    }
    counts(machine, inner, pass)
}

/// Takes over the results of the pass that counts.
fn counts(machine: &mut Machine<'_>, inner: &Loop, pass: Pass) -> Option<State> {
    let (finite, trips) = match &pass.back {
        None => (true, Some(1.0)),
        Some(back) => (back.iter().any(|b| b.progress), pass.trips.map(|t| t as f64)),
    };
    machine.finite[inner.id] = finite;
    machine.trips[inner.id] = trips;
    pass.after
}

/// One walk over the body under assumptions.
fn pass(
    machine: &mut Machine<'_>,
    inner: &Loop,
    entry: &State,
    (leaves, heads): (&[Leaf], &[Head]),
    iteration: Iteration,
) -> Pass {
    let mut state = entry.clone();
    let turn = turn(&mut machine.arithmetic.symbols, &mut state.known, leaves, heads);
    // A counted loop: its body is walked for every turn that meets the guard.
    let counted = inner.guard.filter(|_| turn.is_some());
    if let (Some(turn), Some(_)) = (turn, counted) {
        let symbols = &mut machine.arithmetic.symbols;
        let range = state.known.symbol(symbols, turn);
        symbols.infos[turn as usize].dimension = Some((range.lo as i64, range.hi as i64));
    }
    for &(variable, _) in &inner.modified {
        let value = forgotten(&state.variables[variable]);
        state.variables[variable] = value;
    }
    let mut forms = Vec::with_capacity(leaves.len());
    let symbols = &mut machine.arithmetic.symbols;
    for (leaf, assumed) in leaves.iter().zip(heads) {
        let form = head(symbols, &mut state.known, leaf, assumed, turn);
        let value = Value::Int(leaf.ty, form.clone().wrapped());
        replace(&mut state.variables[leaf.variable], &leaf.path, value);
        forms.push(form);
    }
    let fork = state.guards.take();
    let (back, after) = iteration(machine, inner, state, Some(EveryTurn { fork, turn }));
    // After the loop the symbol stands for the last iteration, not for every one.
    if let Some(turn) = turn {
        machine.arithmetic.symbols.infos[turn as usize].dimension = None;
    }
    let mut trips = None;
    let back = back.map(|mut state| {
        let symbols = &machine.arithmetic.symbols;
        trips = turn.map(|turn| state.known.symbol(symbols, turn).hi + 1);
        (0..leaves.len())
            .map(|i| came_back(symbols, &mut state, &leaves[i], &heads[i], &forms[i]))
            .collect()
    });
    Pass { after, back, trips }
}
