//! The names of the CPU's engines.
//!
//! `cpu` has the engines and chooses between them.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// An engine: the part of coexec that runs a kernel on the CPU.
///
/// ```
/// use coexec::{Engine, Error};
/// assert_eq!("llvm".parse::<Engine>()?, Engine::Llvm);
/// assert_eq!(Engine::Cranelift.to_string(), "cranelift");
/// assert!(matches!("gcc".parse::<Engine>(), Err(Error::NoSuchEngine { .. })));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Engine {
    /// The fastest engine that can run the kernel.
    #[default]
    Auto,
    /// Only the reference interpreter.
    Interpreter,
    /// Only the compiler with LLVM as its back end.
    Llvm,
    /// Only the compiler with Cranelift as its back end, which is always available.
    Cranelift,
}

/// The environment variable that names the engine for [`Engine::Auto`].
const VARIABLE: &str = "COEXEC_CPU_ENGINE";

impl Engine {
    /// `self`, or for [`Engine::Auto`] the engine that `COEXEC_CPU_ENGINE` names, if it is set.
    pub(crate) fn or_forced(self) -> Result<Engine> {
        match (self, std::env::var_os(VARIABLE)) {
            (Engine::Auto, Some(name)) => {
                let name = name.to_string_lossy();
                name.parse().map_err(|_| unknown(&name, &format!("{VARIABLE} names it, and ")))
            }
            _ => Ok(self),
        }
    }
}

fn unknown(name: &str, source: &str) -> Error {
    Error::NoSuchEngine {
        name: format!("`{name}`"),
        problem: format!("{source}the CPU's engines are auto, llvm, cranelift and interpreter"),
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
            _ => Err(unknown(name, "")),
        }
    }
}

/// The engine that was chosen for a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Never [`Engine::Auto`].
    pub(crate) engine: Engine,
    /// Why a faster engine that was tried does not run the kernel.
    pub(crate) fallback: Option<String>,
}
