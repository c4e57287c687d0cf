//! Moves the initial values of variables as far inside as their uses allow.
//!
//! Lowering sets an initial value at the top of the kernel, where all lanes execute. If it is set where it
//! is first needed instead, under the same conditions as its uses, the variable can stay uniform. It never
//! moves into a loop, where each iteration would set it again.

use std::collections::HashMap;

use super::ir::{Kernel, Node, Region};
use super::liveness::{Access, access};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::functions::{Reg, Unary};

/// Moves the initial values.
pub(super) fn sink(kernel: &mut Kernel) {
    let mut body = std::mem::take(&mut kernel.body);
    // The initial values come first.
    let is_start = |node: &Node| {
        matches!(node, Node::Op(Op::Unary { f: Unary::Copy, dst, a })
            if kernel.is_variable(*dst) && kernel.known(*a).is_some())
    };
    let clears = |node: &Node| matches!(node, Node::Op(Op::Clear { .. }));
    let prefix = body.nodes.iter().take_while(|node| is_start(node) || clears(node)).count();
    let rest = Region { id: body.id, nodes: body.nodes.split_off(prefix) };
    let mut common: HashMap<Reg, Vec<u32>> = HashMap::new();
    uses(kernel, &rest, &mut vec![rest.id], true, &mut common);
    let mut moved: HashMap<u32, Vec<Node>> = HashMap::new();
    let root = rest.id;
    body.nodes.retain(|node| {
        let Node::Op(Op::Unary { dst, .. }) = node else { return true };
        match common.get(dst).and_then(|path| path.last()) {
            Some(&region) if region != root && is_start(node) => {
                moved.entry(region).or_default().push(node.clone());
                false
            }
            _ => true,
        }
    });
    body.nodes.extend(rest.nodes);
    place(&mut body, &mut moved);
    kernel.body = body;
}

/// For each variable, the regions outside of loops that are around all of its uses.
fn uses(
    kernel: &Kernel,
    region: &Region,
    path: &mut Vec<u32>,
    grows: bool,
    common: &mut HashMap<Reg, Vec<u32>>,
) {
    for node in &region.nodes {
        if let Node::Op(op) | Node::UniformLoad(op) = node
            && let Some(Access::Read(var) | Access::Set(var) | Access::Change(var)) =
                access(kernel, op)
        {
            let known = common.entry(var).or_insert_with(|| path.clone());
            let same = known.iter().zip(path.iter()).take_while(|(a, b)| a == b).count();
            known.truncate(same);
        }
        let grows = grows && !matches!(node, Node::Loop(_));
        for inner in node.regions() {
            if grows {
                path.push(inner.id);
            }
            uses(kernel, inner, path, grows, common);
            if grows {
                path.pop();
            }
        }
    }
}

fn place(region: &mut Region, moved: &mut HashMap<u32, Vec<Node>>) {
    if let Some(mut nodes) = moved.remove(&region.id) {
        nodes.append(&mut region.nodes);
        region.nodes = nodes;
    }
    for node in &mut region.nodes {
        for inner in node.regions_mut() {
            place(inner, moved);
        }
    }
}
