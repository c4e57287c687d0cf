//! The results of rewritten modules on a real adapter.

mod guards;
mod harness;
mod loops;
mod splits;
