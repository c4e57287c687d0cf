//! The abstract domain: intervals, linear forms over symbols, and the knowledge of a path about them.
//!
//! Every bound holds for every execution of its path; joins and unknown values only widen it.

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
