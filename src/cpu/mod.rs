//! The CPU as a device: kernels run in place on host memory, on coexec's own threads.
//!
//! `executor` distributes workgroups to threads. An engine runs them: the reference interpreter, or machine code
//! that `spmd` and a back end (`llvm` or `cranelift`) make. All engines give the same bits; `math` holds the
//! numeric functions that they share.

mod math;
mod stage;
mod widths;

// The reference.
mod interpreter;

mod check;
mod spmd;
mod touched;

mod compiled;

// The back ends.
mod cranelift;
mod llvm;

mod listing;
mod program;

mod executor;

#[cfg(test)]
mod tests;

pub use check::{Action, Finding, Findings, Invocation, Rule, Witness};
pub(crate) use check::{Wanted, check};
pub(crate) use executor::{CpuDevice, CpuOptions, SUBGROUP_SIZES};
pub use listing::listing;
pub use stage::Listing;
pub(crate) use touched::touched;
