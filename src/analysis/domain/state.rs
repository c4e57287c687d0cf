//! The state of one path: its knowledge of the symbols, its variables, and its guards.
//!
//! Where two paths meet, [`State::join`] keeps the facts that hold on both.

use std::rc::Rc;

use super::guard::Guards;
use super::interval::{IntType, Interval};
use super::knowledge::Knowledge;
use super::linear::Linear;
use super::symbols::Symbols;
use super::value::{Condition, Value};

/// The state of one path.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) known: Knowledge,
    /// Function and private variables, by number.
    pub(crate) variables: Vec<Value>,
    /// If present: an invocation takes this path exactly if it meets all of these. `None` if the condition is
    /// not that simple.
    pub(crate) guards: Option<Guards>,
}

/// The join of two values where paths meet.
enum Shape {
    Keep(Value),
    Int(IntType, Interval),
    Many(Vec<Shape>),
}

impl State {
    /// The join with another path, or `self` if there is none.
    pub(crate) fn meet(self, before: Option<State>, symbols: &mut Symbols) -> State {
        match before {
            None => self,
            Some(before) => before.join(self, symbols, None),
        }
    }

    /// The join of two paths. `condition` holds on the first and not on the second. The joined path has no
    /// guards.
    pub(crate) fn join(
        mut self,
        mut other: State,
        symbols: &mut Symbols,
        condition: Option<&Rc<Condition>>,
    ) -> State {
        let shapes: Vec<Shape> = self
            .variables
            .iter()
            .zip(&other.variables)
            .map(|(x, y)| shape(symbols, x, &mut self.known, y, &mut other.known, condition))
            .collect();
        let mut known = self.known.join(other.known, symbols);
        let variables = shapes.into_iter().map(|s| filled(s, symbols, &mut known)).collect();
        State { known, variables, guards: None }
    }
}

fn shape(
    symbols: &Symbols,
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
            let (x, _) = in_a.value_range(symbols, x, *ty);
            let (y, _) = in_b.value_range(symbols, y, *ty);
            Shape::Int(*ty, x.hull(y))
        }
        (Value::Many(x), Value::Many(y)) if x.len() == y.len() => Shape::Many(
            x.iter()
                .zip(y.iter())
                .map(|(x, y)| shape(symbols, x, in_a, y, in_b, condition))
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

fn filled(shape: Shape, symbols: &mut Symbols, known: &mut Knowledge) -> Value {
    match shape {
        Shape::Keep(value) => value,
        Shape::Int(ty, range) => {
            let form = match range.value() {
                Some(only) => Linear::constant(only as i64),
                None => Linear::symbol(known.opaque(symbols, ty, range)),
            };
            Value::Int(ty, form.wrapped())
        }
        Shape::Many(parts) => {
            Value::Many(Rc::new(parts.into_iter().map(|p| filled(p, symbols, known)).collect()))
        }
    }
}
