//! What launches and sequences did: their reports, and the failures that they survived.
//!
//! Everything else in `runtime` writes into these types; they know nothing of how a launch runs.

mod device;
mod failure;
mod verified;

mod launch;
mod sequence;

pub use device::DeviceReport;
pub(crate) use device::{add_launch, seconds};
pub use failure::{FailureEvent, Remedy};
pub use launch::Report;
pub use sequence::SequenceReport;
pub use verified::{Verified, VerifiedPart};
