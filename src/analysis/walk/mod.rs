//! The abstract interpretation: one walk over the steps of a kernel.

pub(super) mod fuel;
mod typed;

mod entry;
mod scans;

mod assumptions;

pub(super) mod hints;

pub(super) mod machine;

mod loops;
pub(super) mod unroll;

pub(super) mod statements;
