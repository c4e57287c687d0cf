//! A kernel compiled for the engine that runs it.
//!
//! This file chooses the engine: exactly the requested one, or the fastest that supports the kernel. Programs
//! are kept with their kernel, so all devices and runtimes of a process share them. Compilers run on a thread
//! with a large stack. A panic there is an error of that engine, and does not end the process.

use std::any::Any;
use std::sync::Arc;

use super::widths::Widths;
use super::{compiled, cranelift, interpreter, llvm};
use crate::device::{Chosen, Engine};
use crate::error::{Error, Result};
use crate::kernel::{Kernel, isolated};

/// A kernel, compiled for the engine that runs it.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) code: Code,
    /// Why a faster engine did not take the kernel.
    fallback: Option<String>,
}

/// The program in the form that an engine runs.
#[derive(Debug)]
pub(super) enum Code {
    Interpreter(interpreter::Program),
    Llvm(compiled::Program),
    Cranelift(compiled::Program),
}

impl Program {
    /// The program of a kernel, compiled if it is not kept yet.
    ///
    /// # Errors
    /// A forced engine has no fallback: [`Error::Unsupported`] for a kernel that it does not support,
    /// [`Error::Device`] when it is missing or fails.
    pub(super) fn of(kernel: &Kernel, engine: Engine, widths: Widths) -> Result<Arc<Program>> {
        let vector = u64::from(widths.vector.unwrap_or(0));
        let (pack, subgroup) = (u64::from(widths.pack), u64::from(widths.subgroup));
        let variant = vector << 16 | pack << 15 | subgroup << 8 | engine as u64;
        kernel.derived(variant, || Program::compile(kernel, engine, widths))
    }

    fn compile(kernel: &Kernel, engine: Engine, widths: Widths) -> Result<Program> {
        let make = |engine: Engine| {
            isolated(&format!("cpu::{engine} (compiling)"), || match engine {
                Engine::Llvm => llvm::compile(kernel, widths).map(Code::Llvm),
                Engine::Cranelift => cranelift::compile(kernel, widths).map(Code::Cranelift),
                _ => interpreter::compile(kernel, widths.subgroup).map(Code::Interpreter),
            })
        };
        Program::first_of(kernel, engine, &make)
    }

    /// The program of the first engine that can compile the kernel.
    fn first_of(
        kernel: &Kernel,
        engine: Engine,
        make: &dyn Fn(Engine) -> Result<Code>,
    ) -> Result<Program> {
        let (last, faster) = candidates(engine);
        let mut causes: Vec<String> = Vec::new();
        for &candidate in faster {
            match make(candidate) {
                Ok(code) => return Ok(Program { code, fallback: reasons(&causes) }),
                Err(error) => {
                    tracing::info!(
                        kernel = kernel.signature().entry_point,
                        engine = %candidate,
                        %error,
                        "the kernel goes to the next engine"
                    );
                    causes.push(format!("not {candidate}: {error}"));
                }
            }
        }
        Ok(Program { code: make(last)?, fallback: reasons(&causes) })
    }

    /// The number of workgroups along x that it executes as one.
    pub(super) fn packed(&self) -> u32 {
        match &self.code {
            Code::Interpreter(_) => 1,
            Code::Llvm(program) | Code::Cranelift(program) => program.packed(),
        }
    }

    /// The engine, and the reason why it is not a faster one.
    pub(super) fn chosen(&self) -> Chosen {
        let engine = match self.code {
            Code::Interpreter(_) => Engine::Interpreter,
            Code::Cranelift(_) => Engine::Cranelift,
            Code::Llvm(_) => Engine::Llvm,
        };
        Chosen { engine, fallback: self.fallback.clone() }
    }
}

fn reasons(causes: &[String]) -> Option<String> {
    (!causes.is_empty()).then(|| causes.join("; "))
}

/// The last fallback, and the engines that are tried before it, the preferred one first.
fn candidates(engine: Engine) -> (Engine, &'static [Engine]) {
    match engine {
        Engine::Auto if llvm::find_library().is_err() => {
            (Engine::Interpreter, &[Engine::Cranelift])
        }
        Engine::Auto => (Engine::Interpreter, &[Engine::Llvm, Engine::Cranelift]),
        forced => (forced, &[]),
    }
}

/// The name of the back end that runs kernels for a requested engine.
///
/// # Errors
/// The reason why a forced engine is missing.
pub(super) fn describe(engine: Engine) -> std::result::Result<String, &'static str> {
    match (engine, llvm::find_library()) {
        (Engine::Interpreter, _) => Ok("interpreter".to_owned()),
        (Engine::Cranelift, _) => Ok("Cranelift".to_owned()),
        (_, Ok(library)) => Ok(library.describe()),
        (Engine::Auto, Err(_)) => Ok("Cranelift".to_owned()),
        (Engine::Llvm, Err(cause)) => Err(cause),
    }
}

/// Advice that would make the CPU faster; `None` if the fastest engine is in use.
pub(super) fn advice(engine: Engine) -> Option<String> {
    match (engine, llvm::find_library()) {
        (Engine::Auto, Err(cause)) => Some(cause.to_owned()),
        _ => None,
    }
}

/// A panic as an internal error, since it is a bug of coexec.
pub(super) fn panicked(place: &str, panic: &(dyn Any + Send)) -> Error {
    let cause = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    Error::Internal { place: place.to_owned(), cause }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_that_panics_costs_the_engine_and_is_an_error_where_it_was_forced() {
        let text = "@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
            @compute @workgroup_size(64) fn main() { dst[0] = 1u; }";
        let kernel = Kernel::from_wgsl(text).unwrap();
        let make = |engine| {
            isolated("cpu::test", || match engine {
                Engine::Interpreter => interpreter::compile(&kernel, 32).map(Code::Interpreter),
                _ => panic!("the reason"),
            })
        };
        let program = Program::first_of(&kernel, Engine::Auto, &make).unwrap();
        let chosen = program.chosen();
        assert_eq!(chosen.engine, Engine::Interpreter);
        let why = chosen.fallback.unwrap();
        assert!(why.contains("the reason"), "{why}");
        let error = Program::first_of(&kernel, Engine::Cranelift, &make).unwrap_err().to_string();
        assert!(error.contains("the reason"), "{error}");
    }
}
