//! Where memory operations go.

use super::functions::Reg;
use crate::kernel::BindingId;

/// No register: an index that is absent, a result that nobody wants.
pub(in crate::cpu) const NONE: Reg = Reg::MAX;

/// The index of something out of bounds. Indices into a variable are always smaller.
pub(in crate::cpu) const OUTSIDE: u32 = u32::MAX;

/// Where memory operations go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Memory {
    /// A storage buffer, in bytes.
    Storage(BindingId),
    /// A uniform or an immediate, in bytes.
    Value(BindingId),
    /// Workgroup memory, in bytes of which each scalar takes four.
    Workgroup,
}

/// The address of each lane: `offset + outer * stride + inner`. A lane is outside where `outer`
/// is not below the number of elements, or `inner` is [`OUTSIDE`].
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Address {
    pub(in crate::cpu) memory: Memory,
    pub(in crate::cpu) offset: u64,
    /// Index into the binding's runtime-sized array.
    pub(in crate::cpu) outer: Reg,
    pub(in crate::cpu) stride: u64,
    /// Whether `outer` is an i32, so that its upper half is negative.
    pub(in crate::cpu) signed: bool,
    /// A byte offset.
    pub(in crate::cpu) inner: Reg,
}
