//! From the normalised module to the one that a GPU runs: naga IR to naga IR.
//!
//! Every launch on a GPU, unsplit ones too, runs the module made here. What always holds of it:
//!
//! - One bind group. `slots[i]` says what `@group(0) @binding(i)` is.
//! - It computes the workgroups from [`ChunkParams::first`] on, as many as are dispatched, and the
//!   kernel sees the ids, the grid and the array lengths of the whole launch.
//! - A storage buffer may be brought as a window: its header, then some of its elements, at least
//!   one. Every access is checked against the window.
//! - Reads out of bounds give zero, writes and atomics out of bounds do nothing, for every dynamic
//!   index in every address space. No barrier is ever inside a guard.
//! - A loop that is not proved finite stops when the budget is used up, and sets the fault word.
//!   Results are worthless then: invocations may have left a loop in front of a barrier.
//!
//! Integer division, shifts and conversions are left as they are: naga's back ends give them WGSL's
//! meaning. Which device runs the module and how memory gets there is `gpu`'s business.

mod params;

use crate::analysis::Facts;
use crate::error::{Error, Result};
use crate::kernel::{BindingId, Kernel};

pub(crate) use params::{ChunkParams, ParamLayout, Window};

/// Where the per-chunk block lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParamSpace {
    /// In `var<immediate>` when it has at most `max_bytes` bytes, else in a uniform.
    Immediate { max_bytes: u32 },
    /// In a uniform with a dynamic offset.
    Uniform,
}

/// What is bound at `@group(0) @binding(i)`, `i` being the slot's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A storage buffer of the kernel. `read_only` is the access that the module declares, hence
    /// what the bind group layout must say.
    Storage { id: BindingId, read_only: bool },
    /// A uniform of the kernel, so many bytes.
    Uniform { id: BindingId, bytes: u64 },
    /// A read-write storage buffer of one u32, zeroed by the executor before each submission.
    /// Not zero afterwards: a loop ran over its budget. Only there if some loop is not proved
    /// finite.
    Fault,
    /// The per-chunk block, a uniform with a dynamic offset. Only there if the block is not an
    /// immediate.
    Params,
}

/// A module that a GPU runs, and how to call it.
#[derive(Debug, Clone)]
pub(crate) struct Rewritten {
    /// Valid, with one entry point.
    pub(crate) module: naga::Module,
    /// The entry point's name.
    pub(crate) entry_point: String,
    /// `slots[i]` is `@group(0) @binding(i)`.
    pub(crate) slots: Vec<Slot>,
    /// The per-chunk block.
    pub(crate) params: ParamLayout,
    windowable: Vec<bool>,
}

impl Rewritten {
    /// Whether a chunk may bring a part of this binding's elements. When false, the executor brings
    /// the whole buffer, and [`ChunkParams::windows`] is not looked at for it.
    pub(crate) fn windowable(&self, id: BindingId) -> bool {
        self.windowable.get(id).copied().unwrap_or(false)
    }
}

/// Rewrites a kernel for a GPU.
///
/// # Errors
/// [`Error::Internal`] when the result does not validate.
pub(crate) fn for_gpu(_kernel: &Kernel, _facts: &Facts, _space: ParamSpace) -> Result<Rewritten> {
    Err(Error::Unsupported { what: "rewriting kernels".to_owned(), at: String::new() })
}
