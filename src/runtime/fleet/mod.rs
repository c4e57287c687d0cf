//! The devices of a runtime: which there are, which are quarantined, and faults on purpose.

mod inject;
mod members;
pub(crate) mod select;

pub(crate) use inject::Faults;
pub use members::Quarantined;
pub(crate) use members::{Fleet, Member, guarded, no_device, prepare, unable};
