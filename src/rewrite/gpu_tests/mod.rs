//! What the rewritten module computes, on a real adapter.

mod guards;
mod harness;
mod loops;
mod splits;
