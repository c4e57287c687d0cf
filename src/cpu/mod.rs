//! The CPU as a device: kernels run in place on host memory, on coexec's own threads.
//!
//! `executor` deals workgroups to threads; an engine runs them: the reference interpreter, or
//! machine code that `spmd` and a back end, `llvm` or `cranelift`, make. All engines give the same bits; `math` holds the
//! numeric functions that they share.

mod check;
mod compiled;
mod cranelift;
mod executor;
mod interpreter;
mod llvm;
mod math;
mod program;
mod spmd;
#[cfg(test)]
mod tests;
mod touched;

pub use check::{Action, Finding, Findings, Invocation, Rule, Witness};
pub(crate) use check::{Wanted, check};
pub(crate) use executor::{CpuDevice, CpuOptions, SUBGROUP_SIZES};
pub(crate) use touched::touched;

use crate::device::Engine;
use crate::error::{Error, Result};
use crate::kernel::isolated;

/// A stage of the CPU compiler, for whoever tunes a kernel by reading what is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listing {
    /// The SPMD form: gangs of lanes, what is uniform, strided and varying.
    Spmd,
    /// The back end's IR as it is handed over.
    Llvm,
    /// The back end's IR after optimisation.
    Optimised,
    /// Assembly.
    Assembly,
}

/// The code that an engine of the CPU makes of a kernel, as text. [`Engine::Auto`] stands for the
/// engine that `COEXEC_CPU_ENGINE` names, else LLVM if there is a libLLVM, else Cranelift.
///
/// # Errors
/// [`Error::Unsupported`] for a kernel that only the interpreter runs, and for the interpreter,
/// which makes no code; [`Error::Device`] when the back end fails or is missing;
/// [`Error::NoSuchEngine`] if the variable names an unknown engine.
pub fn listing(kernel: &crate::kernel::Kernel, engine: Engine, stage: Listing) -> Result<String> {
    let engine = engine.or_forced()?;
    isolated(&format!("cpu::{engine} (listing)"), || match engine {
        Engine::Llvm => llvm::list(kernel, stage),
        Engine::Auto if llvm::Library::get().is_ok() => llvm::list(kernel, stage),
        Engine::Auto | Engine::Cranelift => cranelift::list(kernel, stage),
        Engine::Interpreter => Err(Error::Unsupported {
            what: "a listing of what the interpreter executes, which is no machine code,"
                .to_owned(),
            at: String::new(),
        }),
    })
}
