//! The devices of a runtime: selection, quarantine, and injected faults.

mod inject;
mod members;
pub(crate) mod select;

pub(crate) use inject::Faults;
pub use members::Quarantined;
pub(crate) use members::{Fleet, Member, guarded, no_device, prepare, unable};
