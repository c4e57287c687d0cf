//! The history of launches: speeds, rooflines, plans, and which way of running was faster.
//!
//! It only affects which device gets which work and when, never the results.

mod alone;
mod balance;
pub(crate) mod belief;
mod cores;
mod measurement;

mod profile_file;

mod profile;

mod memo;

#[cfg(test)]
mod profile_tests;

pub(crate) use alone::Way;
pub(crate) use cores::Cores;
pub(crate) use memo::{Expected, Memo, Question, guess};
