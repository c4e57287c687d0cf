//! How many lanes the gangs of a kernel have.
//!
//! What is done once for a gang counts for less in a wide one; but a lane more than the processor
//! has registers for, and every turn of a loop moves values to the stack and back. Cranelift gives
//! a value that is set anew in a loop two places there and copies from one to the other, so this
//! costs more than it would elsewhere.

use super::emit::QUAD;
use crate::cpu::spmd::{Compiled, pressure};

/// The widest gang.
pub(super) const WIDEST: u32 = 16;

/// Vector registers of 128 bits that x86-64 and Cranelift have.
const REGISTERS: u32 = 16;

/// The steps of a long kernel: it has more values than registers anyway, and every lane more costs
/// time to compile.
const LONG: usize = 150;

/// The lanes that suit a kernel, which was compiled for the widest gang.
pub(super) fn suited(compiled: &Compiled) -> u32 {
    let mut width = if pressure::steps(compiled) > LONG { WIDEST / 2 } else { WIDEST };
    let most = pressure::of_loops(compiled).map_or(0, |loops| loops.kept);
    while width > QUAD && most * (width / QUAD) > REGISTERS {
        width /= 2;
    }
    width
}

/// The values of each lane that a loop may set and keep, where one has more even in the shortest
/// gang. The other registers are for what a turn computes.
pub(super) fn too_many(compiled: &Compiled) -> Option<u32> {
    let most = REGISTERS * 5 / 8;
    pressure::of_loops(compiled).is_some_and(|loops| loops.kept > most).then_some(most)
}
