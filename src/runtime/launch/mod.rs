//! What a program calls: the runtime, launches and sequences.

mod description;
mod prepare;

mod sequence;

mod runtime;

pub use description::{Launch, LaunchFuture};
pub use prepare::Prepared;
#[cfg(test)]
pub(super) use runtime::LOG_MEMORY;
pub use runtime::{Runtime, RuntimeBuilder};
pub use sequence::Sequence;
