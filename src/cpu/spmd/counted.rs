//! Loops that plainly end: each iteration raises a counter by a constant step until a bound stops it.
//! Also the other variables to which each iteration of a loop adds a constant.
//!
//! Between the decision to stay and the next step, the counter is below the bound. Other loops have a
//! budget, which costs a check in each iteration and keeps LLVM from unrolling. This file looks at one
//! loop's text only; what `analysis` proves comes on top.

use std::collections::HashMap;

use super::ir::{Kernel, Loop, Node, Region};
use super::liveness::{Access, access};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::functions::{Binary, Reg, Unary};

/// The variable that decides the number of iterations of a loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counter {
    pub(super) variable: Reg,
    /// The loop continues while the variable is below the bound, which does not change.
    pub(super) bound: Reg,
    /// Whether they are compared as i32.
    pub(super) signed: bool,
}

/// Marks the loops that plainly end.
pub(super) fn mark(kernel: &mut Kernel) {
    let mut body = std::mem::take(&mut kernel.body);
    region(kernel, &mut body);
    kernel.body = body;
}

fn region(kernel: &Kernel, inside: &mut Region) {
    for node in &mut inside.nodes {
        if let Node::Loop(l) = node {
            l.finite |= counter(kernel, l).is_some();
        }
        for inner in node.regions_mut() {
            region(kernel, inner);
        }
    }
}

/// The variables to which each iteration of a loop adds a constant, and the constant as an i32. Each is
/// set once per iteration, by all lanes that continue with the next one.
pub(super) fn steps(kernel: &Kernel, l: &Loop) -> Vec<(Reg, i32)> {
    let (mut sets, mut skips) = (HashMap::<Reg, u32>::new(), false);
    let mut note = |node: &Node| match node {
        Node::Op(op) | Node::UniformLoad(op) => {
            if let Some(Access::Set(var) | Access::Change(var)) = access(kernel, op) {
                *sets.entry(var).or_default() += 1;
            }
        }
        Node::Continue(target) => skips |= *target == l.target,
        _ => {}
    };
    l.body.for_each(&mut note);
    l.continuing.for_each(&mut note);
    let mut computed: HashMap<Reg, &Op> = HashMap::new();
    let mut found = Vec::new();
    let always = if skips { &[][..] } else { &l.body.nodes[..] };
    for node in always.iter().chain(&l.continuing.nodes) {
        let Node::Op(op) = node else { continue };
        op.clone().for_each_result(&mut |reg| {
            computed.insert(*reg, op);
        });
        let Op::Unary { f: Unary::Copy, dst, a } = *op else { continue };
        let itself = |reg| matches!(computed.get(&reg), Some(&&Op::Unary { f: Unary::Copy, a, .. }) if a == dst);
        let step = match computed.get(&a) {
            Some(&&Op::Binary { f: Binary::AddI, a: x, b: y, .. }) if itself(x) => kernel.known(y),
            Some(&&Op::Binary { f: Binary::AddI, a: x, b: y, .. }) if itself(y) => kernel.known(x),
            Some(&&Op::Binary { f: Binary::SubI, a: x, b: y, .. }) if itself(x) => {
                kernel.known(y).map(u32::wrapping_neg)
            }
            _ => None,
        };
        if let Some(step) = step
            && kernel.is_variable(dst)
            && sets.get(&dst) == Some(&1)
        {
            found.push((dst, step as i32));
        }
    }
    found
}

/// The counter of a loop that plainly ends.
pub(super) fn counter(kernel: &Kernel, l: &Loop) -> Option<Counter> {
    // The operations of the loop by their results, and the number of stores to each variable.
    let mut computed: HashMap<Reg, Op> = HashMap::new();
    let mut sets: HashMap<Reg, u32> = HashMap::new();
    let mut note = |node: &Node| {
        let (Node::Op(op) | Node::UniformLoad(op)) = node else { return };
        if let Some(Access::Set(var) | Access::Change(var)) = access(kernel, op) {
            *sets.entry(var).or_default() += 1;
        }
        op.clone().for_each_result(&mut |reg| {
            computed.insert(*reg, op.clone());
        });
    };
    l.body.for_each(&mut note);
    l.continuing.for_each(&mut note);
    // The first decision of an iteration is whether to leave.
    let (condition, stays) = l.body.nodes.iter().find_map(|node| match node {
        Node::Op(_) => None,
        Node::If { condition, accept, reject } => {
            let leaves = |region: &Region| {
                matches!(region.nodes[..], [Node::Break(target)] if target == l.target)
            };
            Some(if leaves(reject) {
                Some((*condition, true))
            } else if leaves(accept) {
                Some((*condition, false))
            } else {
                None
            })
        }
        _ => Some(None),
    })??;
    // Staying means `counter < bound`, or not `bound <= counter`.
    let (counter, bound, signed) = match (computed.get(&condition)?, stays) {
        (Op::Binary { f: Binary::LtU, a, b, .. }, true) => (*a, *b, false),
        (Op::Binary { f: Binary::LtI, a, b, .. }, true) => (*a, *b, true),
        (Op::Binary { f: Binary::LeU, a, b, .. }, false) => (*b, *a, false),
        (Op::Binary { f: Binary::LeI, a, b, .. }, false) => (*b, *a, true),
        _ => return None,
    };
    let variable = |reg: Reg| match computed.get(&reg)? {
        Op::Unary { f: Unary::Copy, a, .. } if kernel.is_variable(*a) => Some(*a),
        _ => None,
    };
    let counter = variable(counter)?;
    if kernel.array_of(counter).is_some() || sets.get(&counter) != Some(&1) {
        return None;
    }
    // It is set once per iteration, at the end.
    let next = l.continuing.nodes.iter().find_map(|node| match node {
        Node::Op(Op::Unary { f: Unary::Copy, dst, a }) if *dst == counter => Some(*a),
        _ => None,
    })?;
    let step = match computed.get(&next)? {
        Op::Binary { f: Binary::AddI, a, b, .. } => {
            let one =
                |x: Reg, y: Reg| (variable(x) == Some(counter)).then(|| kernel.known(y)).flatten();
            one(*a, *b).or_else(|| one(*b, *a))?
        }
        _ => return None,
    };
    let last = if signed { i32::MAX as u32 } else { u32::MAX };
    if step == 0 || step > last / 2 {
        return None;
    }
    let limit = kernel.known(bound);
    let within = match limit {
        // A step from below the bound does not overflow.
        Some(limit) => (signed && (limit as i32) < 0) || limit <= last - step + 1,
        None => step == 1,
    };
    // A bound that the loop changes could stay ahead of the counter.
    let fixed = limit.is_some()
        || match computed.get(&bound) {
            None => true,
            Some(Op::Unary { f: Unary::Copy, a, .. }) => {
                kernel.is_variable(*a) && kernel.array_of(*a).is_none() && !sets.contains_key(a)
            }
            Some(_) => false,
        };
    (within && fixed).then_some(Counter { variable: counter, bound, signed })
}
