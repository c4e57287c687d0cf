//! What was learnt from earlier launches: measured speeds and which of them are believed, analyses and plans that are kept,
//! and the decisions that follow from them.

mod alone;
mod balance;
mod belief;
mod cores;

mod profile;

mod memo;

pub(super) use alone::Way;
pub(super) use belief::is_due;
pub(super) use cores::Cores;
pub(super) use memo::{Expected, Memo, Question, guess};
#[cfg(test)]
pub(super) use profile::device_hash;
