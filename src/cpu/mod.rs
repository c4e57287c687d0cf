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

use std::fmt;
use std::str::FromStr;

pub use check::{Action, Finding, Findings, Invocation, Rule, Witness};
pub(crate) use check::{Wanted, check};
pub(crate) use executor::{CpuDevice, CpuOptions, SUBGROUP_SIZES};
pub(crate) use touched::touched;

use crate::error::{Error, Result};

/// How the CPU runs a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Engine {
    /// The fastest one that can run the kernel.
    #[default]
    Auto,
    /// The reference interpreter, and nothing else.
    Interpreter,
    /// The compiler with LLVM behind it, and nothing else.
    Llvm,
    /// The compiler with Cranelift behind it, which is always there, and nothing else.
    Cranelift,
}

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

/// What an engine of the CPU makes of a kernel, as text. [`Engine::Auto`] is the one that
/// `COEXEC_CPU_ENGINE` names, else LLVM where there is a libLLVM, else Cranelift.
///
/// # Errors
/// [`Error::Unsupported`] for what only the interpreter runs, and for the interpreter, which makes no
/// code; [`Error::Device`] when the back end fails, or there is none; [`Error::NoSuchDevice`] where the
/// variable names no engine.
pub fn listing(kernel: &crate::kernel::Kernel, engine: Engine, stage: Listing) -> Result<String> {
    match engine.or_forced()? {
        Engine::Llvm => llvm::list(kernel, stage),
        Engine::Auto if llvm::Library::get().is_ok() => llvm::list(kernel, stage),
        Engine::Auto | Engine::Cranelift => cranelift::list(kernel, stage),
        Engine::Interpreter => Err(Error::Unsupported {
            what: "a listing of what the interpreter executes, which is no machine code,"
                .to_owned(),
            at: String::new(),
        }),
    }
}

impl Engine {
    /// The engine itself, or if it is left open the one that the environment forces.
    fn or_forced(self) -> Result<Engine> {
        match (self, std::env::var("COEXEC_CPU_ENGINE")) {
            (Engine::Auto, Ok(named)) => named.parse(),
            _ => Ok(self),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Auto => "auto",
            Engine::Interpreter => "interpreter",
            Engine::Llvm => "llvm",
            Engine::Cranelift => "cranelift",
        })
    }
}

impl FromStr for Engine {
    type Err = Error;

    fn from_str(name: &str) -> Result<Engine> {
        match name {
            "auto" => Ok(Engine::Auto),
            "interpreter" => Ok(Engine::Interpreter),
            "llvm" => Ok(Engine::Llvm),
            "cranelift" => Ok(Engine::Cranelift),
            _ => Err(Error::NoSuchDevice {
                name: name.to_owned(),
                problem: "no such CPU engine; there are auto, llvm, cranelift and interpreter"
                    .to_owned(),
            }),
        }
    }
}
