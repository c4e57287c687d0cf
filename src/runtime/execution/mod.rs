//! A launch from the checked arguments to its report.
//!
//! A launch passes through stages, each of which has what it needs as fields: `Checked` (what the
//! caller gave), `Planned` (with its memory and its plan), `Running` (with the parts that an attempt
//! needs: chunks, residency, recording), and the report.

// Parts that know no launch.
mod failures;
mod memories;
mod merge;
mod tolerance;

mod rerun;
mod resources;

mod checked;
mod shared;

mod planned;

// Parts of a running launch.
mod chunks;
mod residency;
mod snapshot;

mod homes;
mod log;
mod measure;
mod verify;

mod running;

// Workers and what they do.
mod results;
mod schedule;

mod worker;

mod execute;

// Launches of a sequence.
mod levels;

mod batch;

#[cfg(all(test, feature = "gpu"))]
mod log_tests;
#[cfg(all(test, feature = "gpu"))]
mod soak_tests;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use batch::batch;
pub(crate) use checked::Checked;
pub(crate) use execute::{measure, plan_only, run};
pub(crate) use levels::{Step, levels, run_level, written};
pub use measure::{Measured, Tightness};
pub(crate) use resources::Resources;
pub(crate) use tolerance::{Tolerance, Verification};
