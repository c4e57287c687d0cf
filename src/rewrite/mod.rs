//! From the normalised module to the one that a GPU runs: naga IR to naga IR.
//!
//! Every launch on a GPU, split or not, runs the module made here. Its invariants:
//!
//! - It has one bind group. `slots[i]` describes `@group(0) @binding(i)`.
//! - It computes the dispatched workgroups, from [`ChunkParams::first`] on. The kernel sees the
//!   ids, the grid and the array lengths of the whole launch.
//! - A storage buffer may be bound as a window: its header and at least one of its elements. The
//!   elements are a range or, if the module was made for boxes, the packed rows of a box. Every
//!   access is checked against the window.
//! - Reads out of bounds give zero, writes and atomics out of bounds do nothing, for every dynamic
//!   index in every address space. No barrier is ever inside a guard.
//! - A loop that is not proved finite stops when the budget is used up, and sets the fault word. The
//!   results are then invalid, since invocations may have left a loop in front of a barrier.
//!
//! Integer division, shifts and conversions are unchanged, since naga's back ends give them WGSL's
//! semantics. `gpu` moves the memory and runs the module.

mod builder;

mod budget;
mod guard;

mod params;

mod rewritten;

mod prelude;

mod builtins;

mod bounds;

mod bindings;

mod rebuild;

#[cfg(test)]
mod gpu_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trusted_tests;
#[cfg(test)]
mod writers_tests;

use naga::Statement;
use naga::valid::{Capabilities, ValidationFlags, Validator};

use crate::analysis::Facts;
use crate::error::Result;
use crate::kernel::{BindingId, Kernel, Space};

use bindings::Bindings;
use budget::{Budget, Fault, Probe, is_finite};
use builder::Builder;
use params::Word;
use rebuild::Rebuild;
use rewritten::internal;

pub(crate) use budget::CUT_SHORT;
pub(crate) use params::{ChunkParams, ParamLayout, Window};
pub(crate) use rewritten::{ParamSpace, Rewritten, Slot};

/// As [`for_gpu_with_boxes`], without boxes.
#[cfg(test)]
pub(crate) fn for_gpu(
    kernel: &Kernel,
    facts: &Facts,
    space: ParamSpace,
    cuts_loops: bool,
) -> Result<Rewritten> {
    for_gpu_with_boxes(kernel, facts, space, cuts_loops, &[])
}

/// Rewrites a kernel for a GPU. `cuts_loops` says that the driver silently ends loops. The windows
/// of the bindings in `pitched` are boxes ([`Pitch`](crate::pitch::Pitch)).
///
/// # Errors
/// [`Error::Internal`] when the result does not validate.
pub(crate) fn for_gpu_with_boxes(
    kernel: &Kernel,
    facts: &Facts,
    space: ParamSpace,
    cuts_loops: bool,
    pitched: &[BindingId],
) -> Result<Rewritten> {
    let mut module = kernel.module().clone();
    // No code calls the functions, and they may be invalid with the new variables.
    module.functions = naga::Arena::new();
    let mut out = Builder::new(std::mem::take(&mut module.types));

    let bindings = Bindings::new(kernel, pitched);
    let inputs = builtins::inputs(kernel);
    let loops = loops(kernel);
    let budgeted = (0..loops).any(|i| !is_finite(&facts.finite_loops, i));
    let probed = cuts_loops && loops > 0;
    let params = lay_out(kernel, &bindings, &inputs, (budgeted, probed), space);

    let variables = &mut module.global_variables;
    let mut slots = bindings.place(kernel, variables, &mut out);
    let fault = slots.len() as u32;
    if budgeted || probed {
        slots.push(Slot::Fault);
    }
    let block = prelude::Block::load(&params, slots.len() as u32, variables, &mut out);
    if !params.is_immediate() && params.bytes() > 0 {
        slots.push(Slot::Params);
    }
    let fault = (budgeted || probed).then(|| Fault::new(fault, variables, &mut out));
    let budget = match fault {
        Some(fault) if budgeted => Some(Budget::new(block.word(Word::Budget)?, fault, &mut out)),
        _ => None,
    };
    let probe = match fault {
        Some(fault) if probed => Some(Probe::new(block.word(Word::Turns)?, fault, &mut out)),
        _ => None,
    };
    let (arguments, values) = builtins::compute(kernel, &inputs, &block, &mut out)?;

    let mut rebuild =
        Rebuild::new(kernel, &bindings, &block, &facts.finite_loops, (budget, probe), out);
    rebuild.leaves()?;
    for (old, new) in values {
        rebuild.set(old, new);
    }
    rebuild.body()?;
    let named_expressions = rebuild.names();
    let mut out = rebuild.out;
    let body = out.finish();

    let function = &mut module.entry_points[0].function;
    *function = naga::Function {
        arguments,
        local_variables: out.locals,
        expressions: out.expressions,
        named_expressions,
        body,
        ..std::mem::take(function)
    };
    module.types = out.types;
    validate(kernel, &module)?;
    naga::compact::compact(&mut module, naga::compact::KeepUnused::No);
    Ok(Rewritten {
        module,
        entry_point: kernel.entry_point().name.clone(),
        slots,
        params,
        windowable: bindings.windowable(),
    })
}

/// The words that the kernel needs, and whether they fit an immediate.
fn lay_out(
    kernel: &Kernel,
    bindings: &Bindings,
    inputs: &[builtins::Input],
    (budgeted, probed): (bool, bool),
    space: ParamSpace,
) -> ParamLayout {
    let mut words = Vec::new();
    for binding in &kernel.signature().bindings {
        if binding.space == Space::Immediate {
            words.extend((0..binding.layout.min_bytes().div_ceil(4) as u32).map(Word::User));
        }
    }
    words.extend(builtins::words(inputs));
    for (id, uses) in bindings.uses.iter().enumerate() {
        let Some(uses) = uses else { continue };
        if bindings.pitched(id) {
            if uses.indexed || uses.length {
                words.push(Word::Elements(id));
            }
            if uses.indexed_signed {
                words.push(Word::SignedElements(id));
            }
            if uses.indexed || uses.indexed_signed {
                words.extend([Word::Row(id), Word::Origin(id), Word::Rows(id), Word::Columns(id)]);
            }
            continue;
        }
        if uses.indexed || uses.indexed_signed {
            words.push(Word::WindowFirst(id));
        }
        if uses.indexed {
            words.push(Word::WindowLen(id));
        }
        if uses.indexed_signed {
            words.push(Word::WindowSignedLen(id));
        }
        if uses.length {
            words.push(Word::Elements(id));
        }
    }
    if budgeted {
        words.push(Word::Budget);
    }
    if probed {
        words.push(Word::Turns);
    }
    let immediate = match space {
        ParamSpace::Immediate { max_bytes } => words.len() as u64 * 4 <= u64::from(max_bytes),
        ParamSpace::Uniform => false,
    };
    ParamLayout { immediate, words }
}

/// The number of loops.
fn loops(kernel: &Kernel) -> usize {
    let mut loops = 0;
    let mut blocks = vec![&kernel.entry_point().function.body];
    while let Some(block) = blocks.pop() {
        for statement in block {
            match statement {
                Statement::Block(inner) => blocks.push(inner),
                Statement::If { accept, reject, .. } => blocks.extend([accept, reject]),
                Statement::Switch { cases, .. } => blocks.extend(cases.iter().map(|c| &c.body)),
                Statement::Loop { body, continuing, .. } => {
                    loops += 1;
                    blocks.extend([body, continuing]);
                }
                _ => {}
            }
        }
    }
    loops
}

/// Validates the result with all capabilities, as `kernel` has checked the kernel's.
fn validate(kernel: &Kernel, module: &naga::Module) -> Result<()> {
    Validator::new(ValidationFlags::all(), Capabilities::all())
        .validate(module)
        .map(|_| ())
        .map_err(|e| internal(e.emit_to_string(kernel.text())))
}
