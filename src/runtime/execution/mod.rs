//! The execution of a launch, from its checked arguments to its report.
//!
//! A launch passes through stages, each with its data as fields: `Checked` (the caller's arguments),
//! `Planned` (plus memory and plan), `Running` (plus the parts of one attempt: chunks, residency, recording),
//! and the report.

// Parts that do not depend on a launch.
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

// Workers, and the handling of their results.
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
