//! The abstract domain: intervals, linear forms over symbols, and the knowledge of a path about them.
//!
//! Every bound holds for every execution of its path; joins and unknown values only widen it.

mod interval;

mod linear;

mod constraint;
mod symbols;
mod value;

mod knowledge;

mod refine;

pub(super) mod arithmetic;
mod guard;

mod composite;
mod state;

pub(super) use arithmetic::Arithmetic;
pub(super) use composite::{Part, part, updated};
pub(super) use guard::{Guard, Guards, guards};
pub(super) use interval::{
    IntType, Interval, Operator, at_least, at_most, ceil_div, floor_div, room,
};
pub(super) use knowledge::{Knowledge, Restricted};
pub(super) use linear::{Linear, Symbol, gcd_of, residue};
pub(super) use refine::refine;
pub(super) use state::State;
pub(super) use symbols::{Definition, Symbols};
pub(super) use value::{Condition, Value, int_type};
