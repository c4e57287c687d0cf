//! The public interface: how users describe runtimes, launches and sequences.
//!
//! All checks that need no device are made here.

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
