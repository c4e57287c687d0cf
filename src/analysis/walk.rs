//! The walk over the statements, one path at a time, joining where paths meet.
//!
//! A path is a [`State`]; a walk that gives none has shown that control does not get to the end.
//! `loops` walks loops.

use std::rc::Rc;

use naga::{Expression, Handle, SwitchValue};

use super::footprint::Kind;
use super::interval::{IntType, Interval};
use super::linear::Linear;
use super::machine::{Machine, State};
use super::program::{Case, Root, Step};
use super::refine::{guards, refine};
use super::state::{Guards, Knowledge};
use super::value::{Condition, Value};

/// Where `break` and `continue` go.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) is_loop: bool,
    pub(super) breaks: Option<State>,
    pub(super) continues: Option<State>,
}

/// What becomes of two values where paths meet.
enum Shape {
    Keep(Value),
    Int(IntType, Interval),
    Many(Vec<Shape>),
}

impl Machine<'_> {
    /// Walks steps; nothing if control does not get past them.
    pub(super) fn walk(
        &mut self,
        steps: &[Step],
        state: State,
        frames: &mut Vec<Frame>,
    ) -> Option<State> {
        let mut state = state;
        for step in steps {
            state = self.step(step, state, frames)?;
        }
        Some(state)
    }

    pub(super) fn step(
        &mut self,
        step: &Step,
        mut state: State,
        frames: &mut Vec<Frame>,
    ) -> Option<State> {
        self.fuel = self.fuel.saturating_sub(1);
        if self.fuel == 0 {
            return None;
        }
        match step {
            Step::Emit(range) => {
                for handle in range.clone() {
                    self.emit(handle, &mut state);
                }
            }
            Step::If { condition, accept, reject, escapes } => {
                let fork = state.guards.clone();
                return self.branch(*condition, [accept, reject], *escapes, state, fork, frames);
            }
            Step::Switch { selector, cases, escapes } => {
                return self.switch(*selector, cases, *escapes, state, frames);
            }
            Step::Loop(inner) => return self.walk_loop(inner, state),
            Step::Return => return None,
            Step::Break => {
                let frame = frames.last_mut()?;
                let before = frame.breaks.take();
                frame.breaks = Some(self.meet(before, state));
                return None;
            }
            Step::Continue => {
                let frame = frames.iter_mut().rev().find(|f| f.is_loop)?;
                let before = frame.continues.take();
                frame.continues = Some(self.meet(before, state));
                return None;
            }
            Step::Store { pointer, value, span } => {
                let value = self.value(*value);
                let (root, parts) = self.path(*pointer, &mut state);
                match root {
                    Some(Root::Variable(variable)) => {
                        let old = state.variables[variable].clone();
                        state.variables[variable] = self.updated(old, &parts, &value, &mut state);
                    }
                    Some(Root::Storage(id)) => {
                        self.access(id, &parts, &mut state, *span, Kind::Write);
                    }
                    _ => {}
                }
            }
            Step::Atomic { pointer, result, span } => {
                let (root, parts) = self.path(*pointer, &mut state);
                if let Some(Root::Storage(id)) = root {
                    self.access(id, &parts, &mut state, *span, Kind::Update);
                }
                if let Some(result) = result {
                    self.forget(*result, &mut state);
                }
            }
            Step::Unpredictable(result) => self.forget(*result, &mut state),
        }
        Some(state)
    }

    /// An `if`. `fork` are the guards of the path that gets to it.
    pub(super) fn branch(
        &mut self,
        condition: Handle<Expression>,
        branches: [&[Step]; 2],
        escapes: [bool; 2],
        state: State,
        fork: Option<Guards>,
        frames: &mut Vec<Frame>,
    ) -> Option<State> {
        let condition = self.value(condition).condition();
        // Each branch copies what is known of the symbols.
        self.fuel = self.fuel.saturating_sub(self.symbols.len() as u64 / 256);
        let remembered = self.remembered();
        let mut ends: [Option<State>; 2] = [None, None];
        let mut paths = [true, false].map(|truth| {
            let mut path = state.clone();
            refine(&mut path.known, &self.symbols, &condition, truth).then_some(path)
        });
        let possible = [paths[0].is_some(), paths[1].is_some()];
        let mut before = state.known;
        for (i, truth) in [(0, true), (1, false)] {
            let Some(mut path) = paths[i].take() else { continue };
            path.guards = fork.as_ref().and_then(|fork| {
                let mut list = fork.as_ref().clone();
                let always = Some(!possible[1 - i]);
                guards(&mut before, &self.symbols, &condition, truth, always, &mut list)
                    .then(|| Rc::new(list))
            });
            ends[i] = self.walk(branches[i], path, frames);
            self.forget_operations(remembered);
        }
        let [accept, reject] = ends;
        let rejoined = !escapes[0] && !escapes[1];
        let mut end = match (accept, reject) {
            (None, None) => return None,
            // Whoever took the other branch left by it, or nobody did.
            (Some(end), None) | (None, Some(end)) => end,
            (Some(a), Some(b)) => {
                let mut end = self.join(a, b, Some(&condition));
                end.guards = None;
                end
            }
        };
        if rejoined {
            end.guards = fork;
        }
        Some(end)
    }

    fn switch(
        &mut self,
        selector: Handle<Expression>,
        cases: &[Case],
        escapes: bool,
        mut state: State,
        frames: &mut Vec<Frame>,
    ) -> Option<State> {
        let fork = state.guards.take();
        let (ty, selector) = self.integer(selector, &mut state);
        let remembered = self.remembered();
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
                    Some(value) => refine(&mut path.known, &self.symbols, &is(value), true),
                    None => cases
                        .iter()
                        .filter_map(|c| constant(c.value))
                        .take(16)
                        .all(|value| refine(&mut path.known, &self.symbols, &is(value), false)),
                };
                if !possible {
                    entry = None;
                }
            }
            let entry = match (entry, falling.take()) {
                (Some(a), Some(b)) => Some(self.join(a, b, None)),
                (a, b) => a.or(b),
            };
            let Some(entry) = entry else { continue };
            let end = self.walk(&case.body, entry, frames);
            self.forget_operations(remembered);
            let Some(end) = end else { continue };
            if case.fall_through {
                falling = Some(end);
            } else if let Some(frame) = frames.last_mut() {
                let before = frame.breaks.take();
                frame.breaks = Some(self.meet(before, end));
            }
        }
        let mut end = frames.pop().and_then(|f| f.breaks);
        if let Some(last) = falling {
            end = Some(self.meet(end, last));
        }
        if !cases.iter().any(|c| c.value == SwitchValue::Default) {
            end = Some(self.meet(end, state));
        }
        let mut end = end?;
        end.guards = fork.filter(|_| !escapes);
        Some(end)
    }

    /// The path that another one joins, or it alone.
    pub(super) fn meet(&mut self, before: Option<State>, state: State) -> State {
        match before {
            None => state,
            Some(before) => {
                let mut joined = self.join(before, state, None);
                joined.guards = None;
                joined
            }
        }
    }

    /// Either of two paths. `condition` tells them apart: it holds on the first and not on the
    /// second. The guards are left to the caller.
    pub(super) fn join(
        &mut self,
        mut a: State,
        mut b: State,
        condition: Option<&Rc<Condition>>,
    ) -> State {
        let shapes: Vec<Shape> = a
            .variables
            .iter()
            .zip(&b.variables)
            .map(|(x, y)| self.shape(x, &mut a.known, y, &mut b.known, condition))
            .collect();
        let mut known = a.known.join(b.known, &self.symbols);
        let variables = shapes.into_iter().map(|s| self.filled(s, &mut known)).collect();
        State { known, variables, guards: None }
    }

    fn shape(
        &self,
        a: &Value,
        in_a: &mut Knowledge,
        b: &Value,
        in_b: &mut Knowledge,
        condition: Option<&Rc<Condition>>,
    ) -> Shape {
        if a == b {
            return Shape::Keep(a.clone());
        }
        match (a, b) {
            (Value::Int(ty, x), Value::Int(other, y)) if ty == other => {
                let (x, _) = in_a.value_range(&self.symbols, x, *ty);
                let (y, _) = in_b.value_range(&self.symbols, y, *ty);
                Shape::Int(*ty, x.hull(y))
            }
            (Value::Many(x), Value::Many(y)) if x.len() == y.len() => Shape::Many(
                x.iter()
                    .zip(y.iter())
                    .map(|(x, y)| self.shape(x, in_a, y, in_b, condition))
                    .collect(),
            ),
            (Value::Bool(_), _) | (_, Value::Bool(_)) => match condition {
                Some(condition) => {
                    let (a, b) = (a.condition(), b.condition());
                    Shape::Keep(Value::Bool(Condition::choose(condition, &a, &b)))
                }
                None => Shape::Keep(Value::Unknown),
            },
            _ => Shape::Keep(Value::Unknown),
        }
    }

    fn filled(&mut self, shape: Shape, known: &mut Knowledge) -> Value {
        match shape {
            Shape::Keep(value) => value,
            Shape::Int(ty, range) => {
                let form = match range.value() {
                    Some(only) => Linear::constant(only as i64),
                    None => Linear::symbol(known.opaque(&mut self.symbols, ty, range)),
                };
                Value::Int(ty, form.wrapped())
            }
            Shape::Many(parts) => {
                Value::Many(Rc::new(parts.into_iter().map(|p| self.filled(p, known)).collect()))
            }
        }
    }
}
