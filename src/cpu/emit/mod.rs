//! The lowering from the SPMD form to instructions, the same for every back end.
//!
//! A back end has `instructions::Instructions`, which add one instruction each to a function, and
//! `memory::Accesses`, which serve lanes that have addresses of their own. [`emit`] adds a kernel's code by them. What
//! always holds: all back ends give the same bits.

pub(super) mod instructions;

pub(super) mod half;
pub(super) mod lanes;

pub(super) mod emitter;

pub(super) mod place;

mod array;
mod builtins;
pub(super) mod memory;
mod versions;

mod functions;

mod subgroup;

mod atomic;

mod flow;

mod kernel;

pub(super) use kernel::emit;
