//! Abstract values: the knowledge about one WGSL value on one path.
//!
//! Values refer to symbols, which never change, so later stores to variables do not invalidate a value. Floats
//! are not tracked.

use std::rc::Rc;

use naga::{BinaryOperator, ScalarKind};

use super::interval::IntType;
use super::linear::Linear;

/// The knowledge about a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// An integer, equal to the form modulo 2³².
    Int(IntType, Linear),
    Bool(Rc<Condition>),
    /// The components of a vector, the elements of an array, the members of a struct.
    Many(Rc<Vec<Value>>),
    /// No knowledge: a float, a matrix, or a composite too large to track.
    Unknown,
}

impl Value {
    pub(crate) fn bool(known: bool) -> Value {
        Value::Bool(Rc::new(Condition::Known(known)))
    }

    /// The condition under which a boolean is true.
    pub(crate) fn condition(&self) -> Rc<Condition> {
        match self {
            Value::Bool(condition) => condition.clone(),
            _ => Rc::new(Condition::Unknown),
        }
    }

    /// Component `index`, as far as it is known.
    pub(crate) fn component(&self, index: usize) -> Value {
        match self {
            Value::Many(parts) => parts.get(index).cloned().unwrap_or(Value::Unknown),
            _ => Value::Unknown,
        }
    }
}

/// A boolean as a formula over symbols, which never change: each execution gives it a fixed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    Known(bool),
    Unknown,
    /// Compares two integers of one type.
    Less(IntType, Linear, Linear),
    Equal(IntType, Linear, Linear),
    Not(Rc<Condition>),
    /// The last field counts the formula's nodes.
    And(Rc<Condition>, Rc<Condition>, u32),
    Or(Rc<Condition>, Rc<Condition>, u32),
}

/// Formulas with more nodes become unknown: shared nodes save memory, but each use is walked again.
const MAX_NODES: u32 = 64;

impl Condition {
    fn nodes(&self) -> u32 {
        match self {
            Condition::And(_, _, n) | Condition::Or(_, _, n) => *n,
            Condition::Not(inner) => inner.nodes() + 1,
            _ => 1,
        }
    }

    pub(crate) fn not(this: &Rc<Condition>) -> Rc<Condition> {
        match &**this {
            Condition::Known(b) => Rc::new(Condition::Known(!b)),
            Condition::Unknown => this.clone(),
            Condition::Not(inner) => inner.clone(),
            _ if this.nodes() >= MAX_NODES => Rc::new(Condition::Unknown),
            _ => Rc::new(Condition::Not(this.clone())),
        }
    }

    pub(crate) fn and(a: &Rc<Condition>, b: &Rc<Condition>) -> Rc<Condition> {
        match (&**a, &**b) {
            (Condition::Known(true), _) => b.clone(),
            (_, Condition::Known(true)) => a.clone(),
            (Condition::Known(false), _) | (_, Condition::Known(false)) => {
                Rc::new(Condition::Known(false))
            }
            _ => {
                let nodes = a.nodes() + b.nodes() + 1;
                Rc::new(if nodes > MAX_NODES {
                    Condition::Unknown
                } else {
                    Condition::And(a.clone(), b.clone(), nodes)
                })
            }
        }
    }

    pub(crate) fn or(a: &Rc<Condition>, b: &Rc<Condition>) -> Rc<Condition> {
        match (&**a, &**b) {
            (Condition::Known(false), _) => b.clone(),
            (_, Condition::Known(false)) => a.clone(),
            (Condition::Known(true), _) | (_, Condition::Known(true)) => {
                Rc::new(Condition::Known(true))
            }
            _ => {
                let nodes = a.nodes() + b.nodes() + 1;
                Rc::new(if nodes > MAX_NODES {
                    Condition::Unknown
                } else {
                    Condition::Or(a.clone(), b.clone(), nodes)
                })
            }
        }
    }

    /// An operator on two booleans.
    pub(crate) fn binary(op: BinaryOperator, a: &Rc<Condition>, b: &Rc<Condition>) -> Value {
        let same = |a: &Rc<Condition>, b: &Rc<Condition>| match (&**a, &**b) {
            (Condition::Known(true), _) => b.clone(),
            (_, Condition::Known(true)) => a.clone(),
            (Condition::Known(false), _) => Condition::not(b),
            (_, Condition::Known(false)) => Condition::not(a),
            _ => Rc::new(Condition::Unknown),
        };
        match op {
            BinaryOperator::And | BinaryOperator::LogicalAnd => Value::Bool(Condition::and(a, b)),
            BinaryOperator::InclusiveOr | BinaryOperator::LogicalOr => {
                Value::Bool(Condition::or(a, b))
            }
            BinaryOperator::Equal => Value::Bool(same(a, b)),
            BinaryOperator::NotEqual | BinaryOperator::ExclusiveOr => {
                Value::Bool(Condition::not(&same(a, b)))
            }
            _ => Value::Unknown,
        }
    }

    /// `accept` where `condition` holds, `reject` where it does not. naga's WGSL front end lowers `&&` and `||`
    /// to such a choice (an `if` that stores to a temporary).
    pub(crate) fn choose(
        condition: &Rc<Condition>,
        accept: &Rc<Condition>,
        reject: &Rc<Condition>,
    ) -> Rc<Condition> {
        match (&**accept, &**reject) {
            _ if accept == reject && **accept != Condition::Unknown => accept.clone(),
            (_, Condition::Known(false)) => Condition::and(condition, accept),
            (_, Condition::Known(true)) => Condition::or(&Condition::not(condition), accept),
            (Condition::Known(true), _) => Condition::or(condition, reject),
            (Condition::Known(false), _) => Condition::and(&Condition::not(condition), reject),
            _ => Condition::or(
                &Condition::and(condition, accept),
                &Condition::and(&Condition::not(condition), reject),
            ),
        }
    }
}

/// The tracked type of a scalar kind.
pub(crate) fn int_type(kind: ScalarKind) -> Option<IntType> {
    match kind {
        ScalarKind::Uint => Some(IntType::U32),
        ScalarKind::Sint => Some(IntType::I32),
        _ => None,
    }
}
