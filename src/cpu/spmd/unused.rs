//! Drops results of atomics that are never read, so that the lanes of a gang need not go one by one.

use std::collections::HashSet;

use super::ir::{Kernel, Node, Region};
use crate::cpu::interpreter::bytecode::{NONE, Op};
use crate::cpu::interpreter::functions::Reg;

pub(super) fn drop_results(kernel: &mut Kernel) {
    let mut read = HashSet::new();
    kernel.body.for_each(&mut |node| match node {
        Node::Op(op) | Node::UniformLoad(op) => {
            op.clone().for_each_source(&mut |reg| {
                read.insert(*reg);
            });
        }
        Node::If { condition, .. } => {
            read.insert(*condition);
        }
        Node::Loop(l) => read.extend(l.break_if),
        _ => {}
    });
    visit(&mut kernel.body, &read);
}

fn visit(region: &mut Region, read: &HashSet<Reg>) {
    for node in &mut region.nodes {
        if let Node::Op(Op::Atomic(atomic)) = node {
            for result in [&mut atomic.dst, &mut atomic.exchanged] {
                if !read.contains(result) {
                    *result = NONE;
                }
            }
        }
        for inner in node.regions_mut() {
            visit(inner, read);
        }
    }
}
