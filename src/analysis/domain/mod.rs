//! The abstract domain: intervals, linear forms over symbols, and what a path knows of them.
//!
//! Everything here is true of every execution of a path; joins and unknowns only widen.

pub(super) mod interval;

pub(super) mod linear;

pub(super) mod constraint;
pub(super) mod symbols;
pub(super) mod value;

pub(super) mod knowledge;

pub(super) mod refine;

pub(super) mod arithmetic;
pub(super) mod guard;

pub(super) mod composite;
pub(super) mod state;
