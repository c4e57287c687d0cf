//! The LLVM back end: kernels in SPMD form as machine code, through a libLLVM found at run time.
//!
//! `library` finds and loads it, `emit*` write textual LLVM IR, `jit` turns that into code.

mod emit;
mod emit_atomic;
mod emit_flow;
mod emit_half;
mod emit_kernel;
mod emit_memory;
mod emit_ops;
mod emit_subgroup;
mod jit;
mod library;
#[cfg(test)]
mod tests;

use emit::Features;
pub(crate) use library::Library;

use super::compiled::{Program, apply};
use super::{Listing, spmd};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::Kernel;

/// Lanes of a gang on this machine.
pub(crate) fn width() -> u32 {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512dq") {
        return 16;
    }
    8
}

fn features() -> Features {
    #[cfg(target_arch = "x86_64")]
    {
        Features {
            fma: std::is_x86_feature_detected!("fma"),
            f16c: std::is_x86_feature_detected!("f16c"),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    Features { fma: cfg!(target_arch = "aarch64"), f16c: cfg!(target_arch = "aarch64") }
}

fn emitted(kernel: &Kernel, subgroup_size: u32, features: Features) -> Result<emit::Emitted> {
    let compiled = spmd::compile(kernel, width(), subgroup_size)?;
    emit_kernel::emit(kernel, &compiled, features)
}

/// Compiles a kernel for a subgroup size.
///
/// # Errors
/// `Unsupported` for what only the interpreter runs, and [`Error::Device`] when there is no
/// libLLVM or it refuses.
pub(crate) fn compile(kernel: &Kernel, subgroup_size: u32) -> Result<Program> {
    compile_for(kernel, subgroup_size, features())
}

fn compile_for(kernel: &Kernel, subgroup_size: u32, features: Features) -> Result<Program> {
    let refused = |cause: String| Error::Device {
        device: "cpu".to_owned(),
        kind: FailureKind::Rejected,
        doing: "compile a kernel with LLVM".to_owned(),
        cause,
    };
    let library = Library::get().map_err(|cause| refused(cause.to_owned()))?;
    let emitted = emitted(kernel, subgroup_size, features)?;
    let symbols = [
        ("coexec_apply", apply as *const () as u64),
        ("memset", memset as *const () as u64),
        ("memcpy", memcpy as *const () as u64),
    ];
    let code = jit::compile(library, &emitted.text, "coexec_run", &symbols).map_err(refused)?;
    Ok(Program::new(kernel, emitted.width, Box::new(code), emitted.needs))
}

/// The subgroup size that listings are made for: what a CPU device has unless told otherwise.
const LISTED_SUBGROUP: u32 = 32;

/// What is generated for a kernel, as text.
pub(crate) fn list(kernel: &Kernel, listing: Listing) -> Result<String> {
    let refused = |cause: String| Error::Device {
        device: "cpu".to_owned(),
        kind: FailureKind::Rejected,
        doing: "list a kernel with LLVM".to_owned(),
        cause,
    };
    let stage = match listing {
        Listing::Spmd => return Ok(spmd::print(&spmd::compile(kernel, width(), LISTED_SUBGROUP)?)),
        Listing::Llvm => return Ok(emitted(kernel, LISTED_SUBGROUP, features())?.text),
        Listing::Optimised => jit::Stage::Optimised,
        Listing::Assembly => jit::Stage::Assembly,
    };
    let library = Library::get().map_err(|cause| refused(cause.to_owned()))?;
    jit::list(library, &emitted(kernel, LISTED_SUBGROUP, features())?.text, stage).map_err(refused)
}

/// `memset`, for what LLVM does not spell out.
unsafe extern "C" fn memset(to: *mut u8, value: i32, bytes: usize) -> *mut u8 {
    // SAFETY: the generated code's.
    unsafe { std::ptr::write_bytes(to, value as u8, bytes) };
    to
}

/// `memcpy`, for what LLVM does not spell out.
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    // SAFETY: the generated code's.
    unsafe { std::ptr::copy_nonoverlapping(from, to, bytes) };
    to
}
