//! Which devices there are, and how they are: selection, quarantine, injected faults.

mod inject;
mod members;
mod select;

pub(super) use inject::{Faults, draw};
pub use members::Quarantined;
pub(super) use members::{Fleet, Member, guarded, no_device, prepare, unable};
pub(super) use select::{CpuChoice, Selection, interpreter, open, throttle};
