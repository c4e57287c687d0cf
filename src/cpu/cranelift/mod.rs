//! The Cranelift back end: kernels in SPMD form as machine code, without an external library.
//!
//! `function` writes a kernel as Cranelift IR: `cpu::emit` lowers it to `instructions`, which `builder` adds. `jit` turns the IR into
//! code. Vectors have 128 bits; a gang's value is as many of them as its width takes. `compiled` calls the code like that of the LLVM
//! back end, and it gives the same bits.

mod builder;

mod instructions;
mod width;

mod accesses;

mod function;

mod jit;

#[cfg(test)]
mod tests;

use super::compiled::Program;
use super::spmd;
use super::stage::Listing;
use super::widths::Widths;
use crate::error::Result;
use crate::kernel::Kernel;

/// The kernel in SPMD form, for gangs of a suitable width.
fn lowered(kernel: &Kernel, widths: Widths) -> Result<spmd::Compiled> {
    let Widths { subgroup, pack, .. } = widths;
    let mut gangs = spmd::Gangs { width: width::WIDEST, subgroup, pack, values: None };
    let compiled = spmd::compile(kernel, gangs)?;
    gangs.values = width::too_many(&compiled);
    let suited = width::suited(&compiled);
    // Subgroups fix the size of gangs.
    if gangs.values.is_none() && (compiled.code.subgroups || suited >= compiled.code.width) {
        return Ok(compiled);
    }
    gangs.width = suited;
    spmd::compile(kernel, gangs)
}

/// Compiles a kernel for gangs of these widths, as far as Cranelift supports them.
///
/// # Errors
/// `Unsupported` for kernels that only the interpreter runs, and [`crate::error::Error::Device`] for a
/// processor that is too old.
pub(super) fn compile(kernel: &Kernel, widths: Widths) -> Result<Program> {
    let compiled = lowered(kernel, widths)?;
    let target = jit::Target::host(compiled.code.storage_atomics)?;
    let (function, needs) = target.function(kernel, &compiled)?;
    let code = target.code(function)?;
    Ok(Program::new(&compiled.code, Box::new(code), needs))
}

/// The generated code of a kernel, as text.
pub(crate) fn list(kernel: &Kernel, listing: Listing) -> Result<String> {
    let compiled = lowered(kernel, Widths::default())?;
    if listing == Listing::Spmd {
        return Ok(spmd::print(&compiled));
    }
    let target = jit::Target::host(compiled.code.storage_atomics)?;
    let (function, _) = target.function(kernel, &compiled)?;
    match listing {
        Listing::Assembly => target.assembly(function),
        Listing::Optimised => target.optimised(function),
        _ => Ok(function.display().to_string()),
    }
}
