//! A launch under way, as a chain of stages: checked, planned, running.
//!
//! [`Checked`] has all arguments. `planning` makes a `Planned` of it, whose buffers are granted. `Running` adds what a launch
//! has while it runs: residency (what stays on devices), recording (how to compute that again), private copies. `execute`
//! drives the workers; `completion` and `recovery` say what becomes of a run of bands that ended with or without a result.

// Parts that know nothing of a launch.
mod memories;
mod merge;
mod tolerance;

mod failures;
mod reruns;
mod resources;

// The stages.
mod checked;

mod planned;

mod planning;
mod residency;
mod snapshot;
mod values;

mod homes;
mod recording;

mod running;

// What a running launch does.
mod batch;
mod learning;
mod measure;
mod schedule;
mod shared;
mod verify;

mod recovery;

mod completion;

mod worker;

mod execute;

mod check;

pub(super) use batch::{Step, batch};
pub(super) use check::check;
pub(super) use checked::Checked;
pub(super) use execute::{measure, plan_only, run, run_granted};
pub use measure::{Measured, Tightness};
pub(super) use memories::Memories;
pub(super) use resources::Resources;
pub(super) use tolerance::{Tolerance, Verification};
