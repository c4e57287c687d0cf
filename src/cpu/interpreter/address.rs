//! The addresses of memory operations.

use super::functions::Reg;
use crate::kernel::BindingId;

/// No register: an absent index, or an unused result.
pub(in crate::cpu) const NONE: Reg = Reg::MAX;

/// The index of an element that is out of bounds. Indices into a variable are always smaller.
pub(in crate::cpu) const OUTSIDE: u32 = u32::MAX;

/// The memory of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Memory {
    /// A storage buffer, in bytes.
    Storage(BindingId),
    /// A uniform or an immediate, in bytes.
    Value(BindingId),
    /// Workgroup memory, in bytes of which each scalar takes four.
    Workgroup,
}

/// The address of each lane: `offset + outer * stride + inner`. A lane is out of bounds if `outer` is not below
/// the number of elements, or if `inner` is [`OUTSIDE`].
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
