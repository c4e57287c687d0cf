//! What launches did: their reports, and the failures that they survived. Data and its text; the rooms above fill it in.

mod events;

mod launch;

mod sequence;

pub use events::{FailureEvent, Remedy};
pub(super) use launch::seconds;
pub use launch::{DeviceReport, Report, Verified, VerifiedPart};
pub use sequence::SequenceReport;
pub(super) use sequence::add_devices;
