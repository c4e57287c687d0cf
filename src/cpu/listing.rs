//! Listings of the code that an engine makes.

use super::stage::Listing;
use super::{cranelift, llvm};
use crate::device::Engine;
use crate::error::{Error, Result};
use crate::kernel::{Kernel, isolated};

/// The code that a CPU engine generates for a kernel, as text. [`Engine::Auto`] stands for the
/// engine that `COEXEC_CPU_ENGINE` names, else LLVM if there is a libLLVM, else Cranelift.
///
/// ```
/// use coexec::{Engine, Listing};
/// let kernel = coexec::Kernel::from_wgsl(
///     "struct S { a: f32, b: vec3<f32> }
///      @group(0) @binding(0) var<uniform> s: S;
///      @group(0) @binding(1) var<storage, read_write> data: array<f32>;
///      @compute @workgroup_size(64)
///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] = s.a + s.b.z; }",
/// )?;
/// let code = coexec::listing(&kernel, Engine::Cranelift, Listing::Spmd)?;
/// assert!(code.contains("store"));
/// # Ok::<(), coexec::Error>(())
/// ```
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
            what: "a listing for the interpreter, which makes no machine code,".to_owned(),
            at: String::new(),
        }),
    })
}
