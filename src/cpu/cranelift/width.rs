//! How many lanes the gangs of a kernel have.
//!
//! What is done once for a gang counts for less in a wide one; but a lane more than the processor
//! has registers for, and every turn of a loop moves values to the stack and back. Cranelift gives
//! a value that is set anew in a loop two places there and copies from one to the other, so this
//! costs more than it would elsewhere.

use std::collections::HashSet;

use super::emit::QUAD;
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::Compiled;
use crate::cpu::spmd::ir::{Node, Region};
use crate::cpu::spmd::shape::Class;

/// The widest gang.
pub(super) const WIDEST: u32 = 16;

/// Vector registers of 128 bits that x86-64 and Cranelift have.
const REGISTERS: u32 = 16;

/// The steps of a long kernel: it has more values than registers anyway, and every lane more costs
/// time to compile.
const LONG: usize = 150;

/// The lanes that suit a kernel, which was compiled for the widest gang.
pub(super) fn suited(compiled: &Compiled) -> u32 {
    let mut steps = 0;
    compiled.code.body.for_each(&mut |_| steps += 1);
    let mut width = if steps > LONG { WIDEST / 2 } else { WIDEST };
    let most = pressure(compiled);
    while width > QUAD && most * (width / QUAD) > REGISTERS {
        width /= 2;
    }
    width
}

/// Values of each lane that a loop needs from turn to turn; the most that one does.
fn pressure(compiled: &Compiled) -> u32 {
    let mut most = 0;
    compiled.code.body.for_each(&mut |node| {
        if let Node::Loop(l) = node
            && !l.body.has_barrier()
        {
            most = most.max(kept(compiled, &[&l.body, &l.continuing]));
        }
    });
    most
}

/// Values of each lane that these regions use and don't find themselves, variables included.
fn kept(compiled: &Compiled, regions: &[&Region]) -> u32 {
    let (mut used, mut found): (HashSet<Reg>, HashSet<Reg>) = Default::default();
    for region in regions {
        region.for_each(&mut |node| {
            if let Node::Op(op) = node {
                let mut op = op.clone();
                op.for_each_source(&mut |reg| {
                    used.insert(*reg);
                });
                op.for_each_result(&mut |reg| {
                    if !compiled.code.is_variable(*reg) {
                        found.insert(*reg);
                    }
                });
            }
        });
    }
    let varies = |reg: &Reg| {
        matches!(compiled.shapes.regs[*reg as usize].class, Class::Likely | Class::Varying)
    };
    let in_memory = |reg: &Reg| compiled.code.array_of(*reg).is_some();
    used.difference(&found).filter(|reg| varies(reg) && !in_memory(reg)).count() as u32
}
