//! Makes variables that count a loop's iterations uniform inside of the loop.
//!
//! In `while count < limit { if far { break; } …; count++; }` lanes leave with different counts, so `count`
//! varies behind the loop. Inside it does not: all lanes that are still there have made the same number of
//! iterations. This pass gives such a variable a twin for the loop, which the shapes find to be uniform in
//! the gang. Comparing the twin is one scalar instruction, without a mask.
//!
//! What always holds: the variable is set once in an iteration, by all lanes that are still in the loop,
//! from itself and values that are uniform in the gang; and all lanes enter the loop with the same value.
//! Each iteration also sets the variable itself, for readers behind the loop.

use std::collections::HashMap;

use super::ir::{Kernel, Loop, Node, Region, Target};
use super::liveness::{Access, access};
use super::shape::{Class, Shapes};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::class::Class as RegClass;
use crate::cpu::interpreter::functions::{Reg, Unary};

/// The deepest chain of operations through which a new value is followed.
const DEEPEST: u32 = 4;

/// The values that variables were set to, where these are uniform in the gang.
type Starts = HashMap<Reg, Reg>;

/// Gives such variables their twins. Returns whether there was one.
pub(super) fn split(kernel: &mut Kernel, shapes: &Shapes) -> bool {
    let mut body = std::mem::take(&mut kernel.body);
    let changed = region(kernel, shapes, &mut body, Starts::new());
    kernel.body = body;
    changed
}

fn region(kernel: &mut Kernel, shapes: &Shapes, inside: &mut Region, mut starts: Starts) -> bool {
    let mut changed = false;
    for mut node in std::mem::take(&mut inside.nodes) {
        if let Node::Op(Op::Unary { f: Unary::Copy, dst, a }) = node
            && kernel.is_variable(dst)
            && is_same(kernel, shapes, a)
        {
            starts.insert(dst, a);
            inside.nodes.push(node);
            continue;
        }
        if let Node::Loop(l) = &mut node {
            for var in counters(kernel, shapes, l) {
                let Some(&start) = starts.get(&var) else { continue };
                let twin = twin(kernel, var);
                inside.nodes.push(Node::Op(Op::Unary { f: Unary::Copy, dst: twin, a: start }));
                for part in [&mut l.body, &mut l.continuing] {
                    rename(part, var, twin);
                    set_both(part, var, twin);
                }
                changed = true;
            }
        }
        // Iterations after the first begin with values that the loop has set.
        let mut before = starts.clone();
        forget(kernel, &node, &mut starts);
        if matches!(node, Node::Loop(_)) {
            before.clone_from(&starts);
        }
        for inner in node.regions_mut() {
            changed |= region(kernel, shapes, inner, before.clone());
        }
        inside.nodes.push(node);
    }
    changed
}

fn is_same(kernel: &Kernel, shapes: &Shapes, reg: Reg) -> bool {
    let class = shapes.regs.get(reg as usize).map(|shape| shape.class);
    kernel.known(reg).is_some() || class.is_some_and(|class| class <= Class::Gang)
}

/// Forgets the variables that a node sets, at any depth.
fn forget(kernel: &Kernel, node: &Node, starts: &mut Starts) {
    let mut visit = |node: &Node| {
        if let Node::Op(op) | Node::UniformLoad(op) = node
            && let Some(Access::Set(var) | Access::Change(var)) = access(kernel, op)
        {
            starts.remove(&var);
        }
    };
    visit(node);
    node.regions().into_iter().for_each(|inner| inner.for_each(&mut visit));
}

/// The variables that count the iterations of a loop and have a varying shape.
fn counters(kernel: &Kernel, shapes: &Shapes, l: &Loop) -> Vec<Reg> {
    if !shapes.masked[l.target as usize] {
        return Vec::new();
    }
    let (mut sets, mut ops) = (HashMap::<Reg, u32>::new(), HashMap::new());
    let mut note = |node: &Node| {
        let (Node::Op(op) | Node::UniformLoad(op)) = node else { return };
        if let Some(Access::Set(var) | Access::Change(var)) = access(kernel, op) {
            *sets.entry(var).or_default() += 1;
        }
        op.clone().for_each_result(&mut |reg| {
            ops.insert(*reg, op.clone());
        });
    };
    l.body.for_each(&mut note);
    l.continuing.for_each(&mut note);
    // Lanes that continue early do not execute the rest of the body.
    let all = if continues(&l.body, l.target) { &[][..] } else { &l.body.nodes[..] };
    let mut found = Vec::new();
    for node in all.iter().chain(&l.continuing.nodes) {
        let Node::Op(Op::Unary { f: Unary::Copy, dst, a }) = *node else { continue };
        let varies = kernel.is_variable(dst)
            && kernel.array_of(dst).is_none()
            && shapes.regs[dst as usize].class > Class::Gang;
        if varies && sets.get(&dst) == Some(&1) && follows(kernel, shapes, &ops, dst, a, DEEPEST) {
            found.push(dst);
        }
    }
    found
}

fn continues(region: &Region, target: Target) -> bool {
    let mut found = false;
    region.for_each(&mut |node| found |= matches!(node, Node::Continue(t) if *t == target));
    found
}

/// Whether a value is computed only from a variable and from values that are uniform in the gang.
fn follows(
    kernel: &Kernel,
    shapes: &Shapes,
    ops: &HashMap<Reg, Op>,
    var: Reg,
    reg: Reg,
    deepest: u32,
) -> bool {
    if is_same(kernel, shapes, reg) {
        return true;
    }
    match ops.get(&reg) {
        Some(&Op::Unary { f: Unary::Copy, a, .. }) if kernel.is_variable(a) => a == var,
        Some(op @ (Op::Unary { .. } | Op::Binary { .. } | Op::Ternary { .. })) if deepest > 0 => {
            let mut all = true;
            op.clone().for_each_source(&mut |source| {
                all &= follows(kernel, shapes, ops, var, *source, deepest - 1);
            });
            all
        }
        _ => false,
    }
}

fn twin(kernel: &mut Kernel, var: Reg) -> Reg {
    let twin = kernel.classes.len() as Reg;
    kernel.classes.push(RegClass::Variable(twin));
    if let Some(&kind) = kernel.planes.get(&var) {
        kernel.planes.insert(twin, kind);
    }
    twin
}

/// Makes readers of the variable read its twin.
fn rename(region: &mut Region, var: Reg, twin: Reg) {
    for node in &mut region.nodes {
        if let Node::Op(Op::Unary { f: Unary::Copy, a, .. }) = node
            && *a == var
        {
            *a = twin;
        }
        node.regions_mut().into_iter().for_each(|inner| rename(inner, var, twin));
    }
}

/// Sets the twin wherever the variable is set.
fn set_both(region: &mut Region, var: Reg, twin: Reg) {
    let sets = |node: &Node| matches!(node, Node::Op(Op::Unary { dst, .. }) if *dst == var);
    if let Some(at) = region.nodes.iter().position(sets)
        && let Node::Op(Op::Unary { f, a, .. }) = region.nodes[at]
    {
        region.nodes.insert(at, Node::Op(Op::Unary { f, dst: twin, a }));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Gangs, compile, print};
    use crate::kernel::Kernel;

    /// Whether a loop that lanes leave one by one compares its counter once for the whole gang.
    fn is_counted_once(body: &str) -> bool {
        let text = format!(
            "@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
            @group(0) @binding(1) var<uniform> limit: u32;
            @compute @workgroup_size(64)
            fn main(@builtin(local_invocation_index) i: u32) {{
                var x = i;
                var count = 3u;
                {body}
                dst[i] = count;
            }}"
        );
        let printed = print(&compile(&Kernel::from_wgsl(&text).unwrap(), Gangs::of(16)).unwrap());
        let (_, inside) = printed.rsplit_once("masked").unwrap();
        // The first comparison decides about the next iteration.
        let compares = |line: &&str| line.contains(" = Lt") || line.contains(" = Le");
        let first = inside.lines().find(compares).unwrap();
        first.split(" = ").next().unwrap().ends_with('g')
    }

    #[test]
    fn what_counts_turns_is_compared_once_for_all_lanes() {
        let plain = "while count < limit { if x > 90u { break; } x += x / 3u; count++; }";
        assert!(is_counted_once(plain));
        let continuing = "for (; count < limit; count += 2u) {
            if x > 90u { break; } if x % 7u == 1u { x++; continue; } x += x / 3u; }";
        assert!(is_counted_once(continuing));
        let inside =
            "if i > 5u { while count < limit { if x > 90u { break; } x += 5u; count++; } }";
        assert!(is_counted_once(inside));
    }

    #[test]
    fn what_lanes_set_for_themselves_is_compared_for_each() {
        let skipped = "while count < limit { if x > 90u { break; } x += 3u;
            if x % 7u == 1u { continue; } count++; }";
        assert!(!is_counted_once(skipped));
        let sometimes = "while count < limit { if x > 90u { break; } x += 3u;
            if x % 2u == 1u { count++; } }";
        assert!(!is_counted_once(sometimes));
        let own = "while count < limit { if x > 90u { break; } x += 3u; count += x; }";
        assert!(!is_counted_once(own));
        let start = "count = x; while count < limit { if x > 90u { break; } x += 3u; count++; }";
        assert!(!is_counted_once(start));
    }
}
