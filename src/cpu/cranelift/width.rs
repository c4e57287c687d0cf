//! The width of a kernel's gangs.
//!
//! Work that is done once per gang costs less per lane in a wide gang. But if a gang needs more registers than
//! the processor has, every iteration of a loop moves values to the stack and back. Cranelift gives a value
//! that is set anew in a loop two places there and copies from one to the other, so spills cost more than
//! elsewhere.

use super::builder::QUAD;
use crate::cpu::spmd::{Compiled, pressure};

/// The widest gang.
pub(super) const WIDEST: u32 = 16;

/// The number of 128-bit vector registers that x86-64 and Cranelift have.
const REGISTERS: u32 = 16;

/// The steps of a long kernel: it has more values than registers anyway, and more lanes cost time to compile.
const LONG: usize = 150;

/// The width that suits a kernel, which was compiled for the widest gang.
pub(super) fn suited(compiled: &Compiled) -> u32 {
    let mut width = if pressure::steps(compiled) > LONG { WIDEST / 2 } else { WIDEST };
    let most = pressure::of_loops(compiled).map_or(0, |loops| loops.kept);
    while width > QUAD && most * (width / QUAD) > REGISTERS {
        width /= 2;
    }
    width
}

/// The most values per lane that a loop may set and keep live, if a loop has more even in the narrowest gang.
/// The other registers are for the values of an iteration.
pub(super) fn too_many(compiled: &Compiled) -> Option<u32> {
    let most = REGISTERS * 5 / 8;
    pressure::of_loops(compiled).is_some_and(|loops| loops.kept > most).then_some(most)
}
