//! Launches on several devices at once.
//!
//! A [`Runtime`] owns the opened devices. The caller describes a launch (`api`); once checked and
//! planned it is executed (`execution`): one worker for each device that takes part pulls runs of
//! bands from the policy until all are done. What always holds: nothing runs before every argument
//! was checked; a launch that fails after it began to write poisons the buffers that it may have
//! written; no lock is held while a device computes.

// What a launch did.
mod random;
mod report;

// Which devices there are, and how earlier launches ran on them.
mod fleet;
mod history;

// A launch from the checked arguments to its report.
mod execution;

// What users call.
mod api;

pub use api::{Launch, LaunchFuture, Prepared, Runtime, RuntimeBuilder, Sequence};
pub use execution::{Measured, Tightness};
pub use fleet::Quarantined;
pub use report::{
    DeviceReport, FailureEvent, Remedy, Report, SequenceReport, Verified, VerifiedPart,
};
