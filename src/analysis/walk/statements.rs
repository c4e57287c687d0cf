//! The walk over the statements, one path at a time, joining where paths meet.
//!
//! A path is a [`State`]; a walk that returns none has shown that control does not reach the end. All recursion
//! through nested statements is here: `loops` and `unroll` are given [`iteration`] to walk a body.

use std::rc::Rc;

use naga::{Expression, Handle, SwitchValue};

use super::loops::fixpoint;
use super::machine::{EveryTurn, Machine};
use super::unroll::unrolled;
use crate::analysis::domain::{
    Condition, Guard, Guards, Linear, State, Symbol, guards, refine, updated,
};
use crate::analysis::footprints::access::Kind;
use crate::analysis::text::pointers::Root;
use crate::analysis::text::steps::{Case, Loop, Step};

/// The targets of `break` and `continue`.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    is_loop: bool,
    breaks: Option<State>,
    continues: Option<State>,
}

/// Walks steps; `None` if control does not get past them.
pub(crate) fn walk(
    machine: &mut Machine<'_>,
    steps: &[Step],
    state: State,
    frames: &mut Vec<Frame>,
) -> Option<State> {
    let mut state = state;
    for step in steps {
        state = walk_step(machine, step, state, frames)?;
    }
    Some(state)
}

fn walk_step(
    machine: &mut Machine<'_>,
    step: &Step,
    mut state: State,
    frames: &mut Vec<Frame>,
) -> Option<State> {
    machine.fuel.spend(1);
    if machine.fuel.is_spent() {
        return None;
    }
    match step {
        Step::Emit(range) => {
            for handle in range.clone() {
                machine.emit(handle, &mut state);
            }
        }
        Step::If { condition, accept, reject, escapes } => {
            let fork = state.guards.clone();
            return branch(machine, *condition, [accept, reject], *escapes, state, fork, frames);
        }
        Step::Switch { selector, cases, escapes } => {
            return switch(machine, *selector, cases, *escapes, state, frames);
        }
        Step::Loop(inner) => return walk_loop(machine, inner, state),
        Step::Return => return None,
        Step::Break => {
            let frame = frames.last_mut()?;
            let before = frame.breaks.take();
            frame.breaks = Some(state.meet(before, &mut machine.arithmetic.symbols));
            return None;
        }
        Step::Continue => {
            let frame = frames.iter_mut().rev().find(|f| f.is_loop)?;
            let before = frame.continues.take();
            frame.continues = Some(state.meet(before, &mut machine.arithmetic.symbols));
            return None;
        }
        Step::Store { pointer, value, span } => {
            let value = machine.value(*value);
            let (root, parts) = machine.path(*pointer, &mut state);
            match root {
                Some(Root::Variable(variable)) => {
                    let old = state.variables[variable].clone();
                    state.variables[variable] =
                        updated(&mut machine.arithmetic, old, &parts, &value, &mut state.known);
                }
                Some(Root::Storage(id)) => {
                    machine.access(id, &parts, &mut state, *span, Kind::Write);
                }
                _ => {}
            }
        }
        Step::Atomic { pointer, result, span } => {
            let (root, parts) = machine.path(*pointer, &mut state);
            if let Some(Root::Storage(id)) = root {
                machine.access(id, &parts, &mut state, *span, Kind::Update);
            }
            if let Some(result) = result {
                machine.forget(*result, &mut state);
            }
        }
        Step::Unpredictable(result) => machine.forget(*result, &mut state),
    }
    Some(state)
}

/// An `if`. `fork` has the guards of the path that reaches it.
fn branch(
    machine: &mut Machine<'_>,
    condition: Handle<Expression>,
    branches: [&[Step]; 2],
    escapes: [bool; 2],
    state: State,
    fork: Option<Guards>,
    frames: &mut Vec<Frame>,
) -> Option<State> {
    let condition = machine.value(condition).condition();
    // Each branch copies the knowledge of the symbols.
    machine.fuel.spend(machine.arithmetic.symbols.len() as u64 / 256);
    let mark = machine.arithmetic.mark();
    let mut ends: [Option<State>; 2] = [None, None];
    let mut paths = [true, false].map(|truth| {
        let mut path = state.clone();
        refine(&mut path.known, &machine.arithmetic.symbols, &condition, truth).then_some(path)
    });
    let possible = [paths[0].is_some(), paths[1].is_some()];
    let mut before = state.known;
    for (i, truth) in [(0, true), (1, false)] {
        let Some(mut path) = paths[i].take() else { continue };
        path.guards = fork.as_ref().and_then(|fork| {
            let mut list = fork.as_ref().clone();
            let always = Some(!possible[1 - i]);
            guards(&mut before, &machine.arithmetic.symbols, &condition, truth, always, &mut list)
                .then(|| Rc::new(list))
        });
        ends[i] = walk(machine, branches[i], path, frames);
        machine.arithmetic.forget_operations(mark);
    }
    let [accept, reject] = ends;
    let rejoined = !escapes[0] && !escapes[1];
    let mut end = match (accept, reject) {
        (None, None) => return None,
        // All invocations that took the other branch left by it.
        (Some(end), None) | (None, Some(end)) => end,
        (Some(a), Some(b)) => a.join(b, &mut machine.arithmetic.symbols, Some(&condition)),
    };
    if rejoined {
        end.guards = fork;
    }
    Some(end)
}

fn switch(
    machine: &mut Machine<'_>,
    selector: Handle<Expression>,
    cases: &[Case],
    escapes: bool,
    mut state: State,
    frames: &mut Vec<Frame>,
) -> Option<State> {
    let fork = state.guards.take();
    let (ty, selector) = machine.integer(selector, &mut state);
    let mark = machine.arithmetic.mark();
    let constant = |value| match value {
        SwitchValue::I32(v) => Some(i64::from(v)),
        SwitchValue::U32(v) => Some(i64::from(v)),
        SwitchValue::Default => None,
    };
    let is = |value: i64| {
        let value = Linear::constant(value).wrapped();
        Rc::new(Condition::Equal(ty, selector.clone(), value))
    };
    frames.push(Frame::default());
    let mut falling: Option<State> = None;
    for case in cases {
        let mut entry = Some(state.clone());
        if let Some(path) = &mut entry {
            let possible = match constant(case.value) {
                Some(value) => {
                    refine(&mut path.known, &machine.arithmetic.symbols, &is(value), true)
                }
                None => cases.iter().filter_map(|c| constant(c.value)).take(16).all(|value| {
                    refine(&mut path.known, &machine.arithmetic.symbols, &is(value), false)
                }),
            };
            if !possible {
                entry = None;
            }
        }
        let entry = match (entry, falling.take()) {
            (Some(a), Some(b)) => Some(a.join(b, &mut machine.arithmetic.symbols, None)),
            (a, b) => a.or(b),
        };
        let Some(entry) = entry else { continue };
        let end = walk(machine, &case.body, entry, frames);
        machine.arithmetic.forget_operations(mark);
        let Some(end) = end else { continue };
        if case.fall_through {
            falling = Some(end);
        } else if let Some(frame) = frames.last_mut() {
            let before = frame.breaks.take();
            frame.breaks = Some(end.meet(before, &mut machine.arithmetic.symbols));
        }
    }
    let mut end = frames.pop().and_then(|f| f.breaks);
    if let Some(last) = falling {
        end = Some(last.meet(end, &mut machine.arithmetic.symbols));
    }
    if !cases.iter().any(|c| c.value == SwitchValue::Default) {
        end = Some(state.meet(end, &mut machine.arithmetic.symbols));
    }
    let mut end = end?;
    end.guards = fork.filter(|_| !escapes);
    Some(end)
}

/// Walks a loop; `None` if control does not get past it.
fn walk_loop(machine: &mut Machine<'_>, inner: &Loop, state: State) -> Option<State> {
    let mark = machine.arithmetic.mark();
    let guards = state.guards.clone();
    let mut after = if inner.once {
        machine.finite[inner.id] = true;
        machine.trips[inner.id] = Some(1.0);
        let mut frames = vec![Frame { is_loop: true, ..Frame::default() }];
        let end = walk(machine, &inner.body, state, &mut frames);
        debug_assert!(end.is_none(), "the body of such a loop ends in a jump");
        frames.pop().and_then(|f| f.breaks)
    } else if let Some(after) = unrolled(machine, inner, &state, iteration) {
        after
    } else {
        fixpoint(machine, inner, &state, iteration)
    };
    machine.arithmetic.forget_operations(mark);
    if let Some(after) = &mut after {
        // Without a `return` inside, all invocations that reached the loop get past it.
        after.guards = guards.filter(|_| !inner.returns);
    }
    after
}

/// One walk over the body: the state that returns to the head, and the state that leaves the loop. For a walk
/// that covers all iterations, `all` has the guards of the path to the loop and the symbol of the iteration.
fn iteration(
    machine: &mut Machine<'_>,
    inner: &Loop,
    state: State,
    all: Option<EveryTurn>,
) -> (Option<State>, Option<State>) {
    let mut frames = vec![Frame { is_loop: true, ..Frame::default() }];
    let mark = machine.arithmetic.mark();
    let mut at = Some(state);
    for (i, step) in inner.body.iter().enumerate() {
        let Some(state) = at.take() else { break };
        at = match (step, &all) {
            (Step::If { condition, accept, reject, escapes }, Some(EveryTurn { fork, turn }))
                if inner.guard == Some(i) =>
            {
                let branches = [accept.as_slice(), reject.as_slice()];
                let known = fork.as_ref().map_or(0, |g| g.len());
                let fork = fork.clone();
                let mut end =
                    branch(machine, *condition, branches, *escapes, state, fork, &mut frames);
                if let Some(state) = &mut end
                    && !state.guards.as_ref().is_some_and(|g| prefix(&g[known..], *turn))
                {
                    state.guards = None;
                }
                end
            }
            (step, _) => walk_step(machine, step, state, &mut frames),
        };
    }
    if let Some(continued) = frames[0].continues.take() {
        at = Some(continued.meet(at, &mut machine.arithmetic.symbols));
    }
    machine.arithmetic.forget_operations(mark);
    machine.forget_values(&inner.skipped);
    let mut back = at.and_then(|mut state| {
        state.guards = state.guards.filter(|_| all.is_none());
        walk(machine, &inner.continuing, state, &mut frames)
    });
    let mut breaks = frames.pop().and_then(|f| f.breaks);
    if let Some(condition) = inner.break_if
        && let Some(mut state) = back.take()
    {
        state.guards = None;
        let condition: Rc<Condition> = machine.value(condition).condition();
        let mut leaving = state.clone();
        if refine(&mut leaving.known, &machine.arithmetic.symbols, &condition, true) {
            breaks = Some(leaving.meet(breaks, &mut machine.arithmetic.symbols));
        }
        if refine(&mut state.known, &machine.arithmetic.symbols, &condition, false) {
            back = Some(state);
        }
    }
    (back, breaks)
}

/// Whether guards hold for the first iterations only, so that the loop reaches every iteration that meets them.
fn prefix(guards: &[Guard], turn: Option<Symbol>) -> bool {
    let Some(turn) = turn else { return false };
    let far = 1i128 << 70;
    guards.iter().all(|guard| {
        let c = guard.form.coefficient(turn);
        c == 0 || (c > 0 && guard.within.lo < -far) || (c < 0 && guard.within.hi > far)
    })
}
