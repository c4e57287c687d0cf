//! The register pressure of a kernel's loops, by which back ends choose the width of gangs.

use std::collections::HashSet;

use super::compiled::Compiled;
use super::ir::{Node, Region};
use super::shape::Class;
use crate::cpu::interpreter::functions::Reg;

/// The number of nodes of a kernel.
pub(in crate::cpu) fn steps(compiled: &Compiled) -> usize {
    let mut steps = 0;
    compiled.code.body.for_each(&mut |_| steps += 1);
    steps
}

/// The loops inside of `Gangs` regions.
pub(in crate::cpu) struct Loops {
    /// The most values of each lane that one of them keeps from iteration to iteration.
    pub(in crate::cpu) kept: u32,
    /// The nodes in all of them. A node in nested loops counts once for each.
    pub(in crate::cpu) steps: usize,
}

/// The register pressure of a kernel's loops, if it has any.
pub(in crate::cpu) fn of_loops(compiled: &Compiled) -> Option<Loops> {
    let mut loops: Option<Loops> = None;
    let mut visit = |node: &Node| {
        let Node::Loop(l) = node else { return };
        let regions = [&l.body, &l.continuing];
        let loops = loops.get_or_insert(Loops { kept: 0, steps: 0 });
        loops.kept = loops.kept.max(kept(compiled, &regions));
        regions.into_iter().for_each(|region| region.for_each(&mut |_| loops.steps += 1));
    };
    compiled.code.body.for_each(&mut |node| {
        if let Node::Gangs { body: region, .. } = node {
            region.for_each(&mut visit);
        }
    });
    loops
}

/// The number of values of each lane that these regions read and do not compute, variables included.
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
