//! Listings of the code that an engine makes.

use super::stage::Listing;
use super::{cranelift, llvm};
use crate::device::Engine;
use crate::error::{Error, Result};
use crate::kernel::{Kernel, isolated};

/// The code that an engine of the CPU makes of a kernel, as text. [`Engine::Auto`] stands for the
/// engine that `COEXEC_CPU_ENGINE` names, else LLVM if there is a libLLVM, else Cranelift.
///
/// # Errors
/// [`Error::Unsupported`] for a kernel that only the interpreter runs, and for the interpreter,
/// which makes no code; [`Error::Device`] when the back end fails or is missing;
/// [`Error::NoSuchEngine`] if the variable names an unknown engine.
pub fn listing(kernel: &Kernel, engine: Engine, stage: Listing) -> Result<String> {
    let engine = engine.or_forced()?;
    isolated(&format!("cpu::{engine} (listing)"), || match engine {
        Engine::Llvm => llvm::list(kernel, stage),
        Engine::Auto if llvm::find_library().is_ok() => llvm::list(kernel, stage),
        Engine::Auto | Engine::Cranelift => cranelift::list(kernel, stage),
        Engine::Interpreter => Err(Error::Unsupported {
            what: "a listing of what the interpreter executes, which is no machine code,"
                .to_owned(),
            at: String::new(),
        }),
    })
}
