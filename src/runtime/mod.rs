//! Runtimes and launches: devices at work together.
//!
//! A [`Runtime`] owns the opened devices. A launch is described and checked (`launch`), planned (`execution`, by `plan`), and
//! executed: one worker for each device that takes part takes runs of bands from the scheduling policy until all are done. Nothing runs
//! before every argument was checked. A launch that fails after it began to write poisons what it may have written. No lock is
//! held while a device computes.

// What launches did.
mod report;

// Which devices there are, and how they are.
mod fleet;
// What was learnt from earlier launches.
mod history;

// A launch under way.
mod execution;

// What a program calls.
mod launch;

#[cfg(all(test, feature = "gpu"))]
mod log_tests;
#[cfg(test)]
mod profile_tests;
#[cfg(all(test, feature = "gpu"))]
mod soak_tests;
#[cfg(test)]
mod tests;

pub use execution::{Measured, Tightness};
pub use fleet::Quarantined;
pub use launch::{Launch, LaunchFuture, Prepared, Runtime, RuntimeBuilder, Sequence};
pub use report::{
    DeviceReport, FailureEvent, Remedy, Report, SequenceReport, Verified, VerifiedPart,
};
