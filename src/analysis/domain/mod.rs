//! The abstract domain: intervals, linear forms over symbols, and what a path knows of them.
//!
//! Everything here is true of every execution of a path; joins and unknowns only widen.

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
