//! The reports of launches and sequences, and the failures that they survived.
//!
//! All other rooms of `runtime` write into these types, which do not depend on how a launch runs.

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
