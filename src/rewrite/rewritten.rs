//! A module that a GPU runs, and its interface.

use super::params::ParamLayout;
use crate::error::Error;
use crate::kernel::BindingId;

/// The place of the per-chunk block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParamSpace {
    /// In `var<immediate>` when it has at most `max_bytes` bytes, else in a uniform.
    Immediate { max_bytes: u32 },
    /// In a uniform with a dynamic offset.
    Uniform,
}

/// The resource at `@group(0) @binding(i)`, `i` being the slot's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A storage buffer of the kernel. `read_only` is the access that the module declares, and that
    /// the bind group layout must have.
    Storage { id: BindingId, read_only: bool },
    /// A uniform of the kernel, with its number of bytes.
    Uniform { id: BindingId, bytes: u64 },
    /// A read-write storage buffer of one u32, zeroed by the executor before the chunk. If it is
    /// not zero afterwards, a loop ran over its budget, or the driver ended one ([`CUT_SHORT`]).
    /// Only there if some loop is not proved finite, or the driver ends loops.
    Fault,
    /// The per-chunk block, a uniform with a dynamic offset. Only there if the block is not an
    /// immediate.
    Params,
}

/// A module that a GPU runs, and its interface.
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
    /// Whether a chunk may provide a part of this binding's elements. If not, the executor binds
    /// the whole buffer, and its entry in [`ChunkParams::windows`] is ignored.
    pub(crate) fn windowable(&self, id: BindingId) -> bool {
        self.windowable.get(id).copied().unwrap_or(false)
    }
}

/// The error for a broken invariant.
pub(super) fn internal(cause: impl Into<String>) -> Error {
    Error::Internal { place: "rewrite".to_owned(), cause: cause.into() }
}
