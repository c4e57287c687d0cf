//! What is known of a register while compiling.

use super::functions::Reg;

/// What is known of a register while compiling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Class {
    /// Set once, before every use.
    Temporary,
    /// A mask that control flow changes.
    Mask,
    /// The same in every lane, always.
    Constant(u32),
    /// The same for all workgroups of a launch; set by the preamble or the machine.
    Invariant,
    /// Set by the machine for each batch.
    Builtin,
    /// A plane of the variable that begins with that plane. A variable's planes have consecutive
    /// numbers.
    Variable(Reg),
}
