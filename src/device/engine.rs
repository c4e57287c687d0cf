//! The engines of the CPU by name, and which of them runs a kernel.
//!
//! The engines themselves, and the choice between them, are `cpu`'s subject.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// How the CPU runs a kernel.
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

/// The variable of the environment that names the engine where the program leaves it open.
const VARIABLE: &str = "COEXEC_CPU_ENGINE";

impl Engine {
    /// The engine itself, or if it is left open the one that the environment forces.
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

/// The engine that a device runs a kernel with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Never [`Engine::Auto`].
    pub(crate) engine: Engine,
    /// Why it is not a faster one, where one was tried.
    pub(crate) fallback: Option<String>,
}
