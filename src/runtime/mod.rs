//! Launches on several devices at once.
//!
//! A [`Runtime`] owns the opened devices. The caller describes a launch (`api`), which is checked, planned
//! and executed (`execution`): each device that takes part has a worker, which takes runs of bands from the
//! policy until all are done.
//!
//! What always holds: nothing runs before all arguments are checked. A launch that fails after it began to
//! write poisons the buffers that it may have written, unless it restores them. No lock is held while a
//! device computes.

// Reports of launches.
mod random;
mod report;

// The devices, and the history of earlier launches on them.
mod fleet;
mod history;

// The execution of a launch, from its checked arguments to its report.
mod execution;

// The public interface.
mod api;

pub use api::{Launch, LaunchFuture, Prepared, Runtime, RuntimeBuilder, Sequence};
pub use execution::{Measured, Tightness};
pub use fleet::Quarantined;
pub use report::{
    DeviceReport, FailureEvent, Remedy, Report, SequenceReport, Verified, VerifiedPart,
};
