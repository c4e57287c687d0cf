//! The compile-time classes of registers.

use super::functions::Reg;

/// The compile-time knowledge about a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Class {
    /// Set once, before every use.
    Temporary,
    /// A mask that control flow changes.
    Mask,
    /// The same value in every lane, always.
    Constant(u32),
    /// The same for all workgroups of a launch; set by the preamble or the machine.
    Invariant,
    /// Set by the machine for each batch.
    Builtin,
    /// A plane of the variable that begins with that plane. A variable's planes have consecutive
    /// numbers.
    Variable(Reg),
}
