//! The public face: runtimes, launches and sequences as users describe them.
//!
//! Everything is checked here that can be checked without a device.

mod check;
mod prepare;

mod launch;

mod sequence;

mod runtime;

pub use launch::{Launch, LaunchFuture};
pub use prepare::Prepared;
#[cfg(test)]
pub(crate) use runtime::LOG_MEMORY;
pub use runtime::{Runtime, RuntimeBuilder};
pub use sequence::Sequence;
