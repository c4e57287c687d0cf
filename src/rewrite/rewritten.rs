//! A module that a GPU runs, and how to call it.

use super::params::ParamLayout;
use crate::error::Error;
use crate::kernel::BindingId;

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
    /// Not zero afterwards: a loop ran over its budget, or the driver ended one
    /// ([`CUT_SHORT`]). Only there if some loop is not proved finite, or the driver ends loops.
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
    pub(super) windowable: Vec<bool>,
}

impl Rewritten {
    /// Whether a chunk may bring a part of this binding's elements. When false, the executor brings
    /// the whole buffer, and [`ChunkParams::windows`] is not looked at for it.
    pub(crate) fn windowable(&self, id: BindingId) -> bool {
        self.windowable.get(id).copied().unwrap_or(false)
    }
}

/// A broken invariant.
pub(super) fn internal(cause: impl Into<String>) -> Error {
    Error::Internal { place: "rewrite".to_owned(), cause: cause.into() }
}
