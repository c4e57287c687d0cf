//! The LLVM back end: kernels in SPMD form as machine code, through a libLLVM found at run time.
//!
//! `find` looks for the library and `library` loads it. `function` writes a kernel as textual LLVM IR: `cpu::emit` lowers it to
//! `instructions`, which `builder` writes down. `jit` turns the text into code.

mod builder;
mod library;
mod width;

mod instructions;
mod jit;

mod find;
mod rows;

mod interleaved;

mod accesses;

mod function;

#[cfg(test)]
mod tests;

use builder::Features;
pub(crate) use find::find_library;
use function::{Emitted, emit};

use super::compiled::{Program, apply};
use super::spmd;
use super::stage::Listing;
use super::widths::Widths;
use crate::error::{Error, FailureKind, Result};
use crate::kernel::Kernel;

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

/// The kernel in SPMD form, for gangs of a suitable width.
fn lowered(kernel: &Kernel, widths: Widths) -> Result<spmd::Compiled> {
    let width = width::of_vectors(widths.vector);
    let Widths { subgroup, pack, .. } = widths;
    let gangs = spmd::Gangs { width, subgroup, pack, values: None };
    let compiled = spmd::compile(kernel, gangs)?;
    if let Some(values) = width::too_many(&compiled) {
        return spmd::compile(kernel, spmd::Gangs { values: Some(values), ..gangs });
    }
    if widths.vector.is_some() || !width::suits_two_vectors(&compiled) {
        return Ok(compiled);
    }
    let wide = spmd::compile(kernel, spmd::Gangs { width: 2 * width, ..gangs })?;
    Ok(if width::fits_rows(&compiled, &wide) { wide } else { compiled })
}

fn emitted(kernel: &Kernel, widths: Widths, features: Features) -> Result<Emitted> {
    emit(kernel, &lowered(kernel, widths)?, features)
}

/// Compiles a kernel for gangs of these widths.
///
/// # Errors
/// `Unsupported` for kernels that only the interpreter runs, and [`Error::Device`] if there is no libLLVM or it
/// refuses.
pub(super) fn compile(kernel: &Kernel, widths: Widths) -> Result<Program> {
    compile_for(kernel, widths, features())
}

fn compile_for(kernel: &Kernel, widths: Widths, features: Features) -> Result<Program> {
    let refused = |cause: String| Error::Device {
        device: "cpu".to_owned(),
        kind: FailureKind::Rejected,
        doing: "compile a kernel with LLVM".to_owned(),
        cause,
    };
    let library = find_library().map_err(|cause| refused(cause.to_owned()))?;
    let compiled = lowered(kernel, widths)?;
    let emitted = emit(kernel, &compiled, features)?;
    let symbols = [
        ("coexec_apply", apply as *const () as u64),
        ("memset", memset as *const () as u64),
        ("memcpy", memcpy as *const () as u64),
    ];
    let code = jit::compile(library, &emitted.text, "coexec_run", &symbols).map_err(refused)?;
    Ok(Program::new(&compiled.code, Box::new(code), emitted.needs))
}

/// The generated code of a kernel, as text.
pub(crate) fn list(kernel: &Kernel, listing: Listing) -> Result<String> {
    let refused = |cause: String| Error::Device {
        device: "cpu".to_owned(),
        kind: FailureKind::Rejected,
        doing: "list a kernel with LLVM".to_owned(),
        cause,
    };
    let stage = match listing {
        Listing::Spmd => {
            return Ok(spmd::print(&lowered(kernel, Widths::default())?));
        }
        Listing::Llvm => return Ok(emitted(kernel, Widths::default(), features())?.text),
        Listing::Optimised => jit::Stage::Optimised,
        Listing::Assembly => jit::Stage::Assembly,
    };
    let library = find_library().map_err(|cause| refused(cause.to_owned()))?;
    jit::list(library, &emitted(kernel, Widths::default(), features())?.text, stage)
        .map_err(refused)
}

/// `memset`, which LLVM's code may call.
unsafe extern "C" fn memset(to: *mut u8, value: i32, bytes: usize) -> *mut u8 {
    // SAFETY: the generated code keeps the promise.
    unsafe { std::ptr::write_bytes(to, value as u8, bytes) };
    to
}

/// `memcpy`, which LLVM's code may call.
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    // SAFETY: the generated code keeps the promise.
    unsafe { std::ptr::copy_nonoverlapping(from, to, bytes) };
    to
}
