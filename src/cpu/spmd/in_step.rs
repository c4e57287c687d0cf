//! Puts loops that stride through memory in step: all gangs of a workgroup finish an iteration before
//! any begins the next.
//!
//! In `for k { sum += src[k * 256 + index] }`, the loads of a workgroup's gangs in one iteration are
//! adjacent, those of one gang in two iterations far apart. Gang by gang, such a loop sweeps over the same
//! memory once for each gang, in steps that a processor's prefetchers don't follow. In step it is one
//! stream. The values that the loop keeps then go through memory, which is in the nearest cache. This pass
//! puts a barrier into such a loop, and fission does the rest.
//!
//! What always holds: the decisions about iterations are uniform in the workgroup, also with the barrier
//! ([`holds`] asks the shapes). The kernel had a barrier anyway, so nothing that gangs share is lost. Gangs
//! can't observe each other's iterations, since there are no atomics and no barrier was in the loop.

use std::collections::{HashMap, HashSet};

use super::counted;
use super::ir::{Kernel, Loop, Node, Region};
use super::liveness::{Access, access};
use super::shape::{Class, Shapes, wants_workgroup};
use crate::cpu::interpreter::bytecode::{Memory, NONE, Op};
use crate::cpu::interpreter::functions::{Binary, Reg, Unary};

/// The most operations of a loop for each load that strides: a loop with more does not wait for memory.
const WORK: usize = 24;

/// The most values of each lane that the loop may keep, so that its loads remain the bottleneck.
const KEPT: usize = 2;

/// The number of gangs of a workgroup: fewer are one stream anyway, more keep too much.
const GANGS: std::ops::RangeInclusive<u64> = 2..=64;

/// The kernel with such loops in step, if it has any.
pub(super) fn in_step(kernel: &Kernel, shapes: &Shapes) -> Option<Kernel> {
    if !kernel.body.has_barrier() || !GANGS.contains(&kernel.gangs()) {
        return None;
    }
    let mut new = kernel.clone();
    region(kernel, shapes, &mut new.body).then_some(new)
}

/// Whether every decision around a barrier is uniform in the workgroup.
pub(super) fn holds(kernel: &Kernel, shapes: &Shapes) -> bool {
    decides(&kernel.body, shapes)
}

fn decides(region: &Region, shapes: &Shapes) -> bool {
    let one = |reg: Reg| shapes.regs[reg as usize].class <= Class::Workgroup;
    region.nodes.iter().filter(|node| wants_workgroup(node)).all(|node| {
        let fine = match node {
            Node::If { condition, .. } => one(*condition),
            Node::Loop(l) => !shapes.masked[l.target as usize] && l.break_if.is_none_or(one),
            Node::Once { target, .. } => !shapes.masked[*target as usize],
            _ => true,
        };
        fine && node.regions().into_iter().all(|inner| decides(inner, shapes))
    })
}

fn region(kernel: &Kernel, shapes: &Shapes, inside: &mut Region) -> bool {
    let mut changed = false;
    for node in &mut inside.nodes {
        if node.has_barrier() {
            for inner in node.regions_mut() {
                changed |= region(kernel, shapes, inner);
            }
        } else if let Node::Loop(l) = node
            && strides(kernel, shapes, l)
        {
            l.body.nodes.push(Node::Barrier);
            changed = true;
        }
    }
    changed
}

/// Whether a loop should run in step.
fn strides(kernel: &Kernel, shapes: &Shapes, l: &Loop) -> bool {
    if !l.finite || shapes.masked[l.target as usize] || l.break_if.is_some() {
        return false;
    }
    let mut code = Code { kernel, shapes, ops: HashMap::new(), steps: HashMap::new() };
    code.steps.extend(counted::steps(kernel, l));
    let (mut fine, mut work, mut kept, mut loads) = (true, 0, HashSet::new(), Vec::new());
    let mut visit = |node: &Node| match node {
        Node::Op(op) => {
            work += 1;
            match access(kernel, op) {
                Some(Access::Set(var)) if shapes.regs[var as usize].class > Class::Gang => {
                    kept.insert(var);
                }
                Some(Access::Change(_)) => fine = false,
                _ => {}
            }
            match op {
                Op::Load(load) if matches!(load.address.memory, Memory::Storage(_)) => {
                    loads.push((load.address.outer, load.address.inner));
                }
                Op::Load(_) | Op::Store(_) => {}
                op => fine &= op.is_pure(),
            }
            op.clone().for_each_result(&mut |reg| {
                code.ops.insert(*reg, op.clone());
            });
        }
        Node::If { .. } | Node::Break(_) => {}
        _ => fine = false,
    };
    l.body.for_each(&mut visit);
    l.continuing.for_each(&mut visit);
    let far = |&(outer, inner): &(Reg, Reg)| {
        inner == NONE && outer != NONE && code.is_row(outer) && code.jumps(outer)
    };
    fine && !loads.is_empty()
        && kept.len() <= KEPT
        && work <= loads.len() * WORK
        && loads.iter().all(far)
}

struct Code<'k> {
    kernel: &'k Kernel,
    shapes: &'k Shapes,
    /// The operation that sets each register of the loop.
    ops: HashMap<Reg, Op>,
    /// Variables to which each iteration adds a constant.
    steps: HashMap<Reg, i32>,
}

impl Code<'_> {
    /// Whether neighbouring lanes access neighbouring elements.
    fn is_row(&self, index: Reg) -> bool {
        self.shapes.regs[index as usize].class == Class::Strided(1)
    }

    /// Whether an index moves by two gangs or more in each iteration, which holds if some term of its
    /// sum does.
    fn jumps(&self, index: Reg) -> bool {
        let far = |step: u32| step >= 2 * self.kernel.width;
        // A variable that the loop carries depends on itself.
        let (mut terms, mut seen) = (vec![index], HashSet::new());
        while let Some(term) = terms.pop() {
            if !seen.insert(term) {
                continue;
            }
            let jumps = match self.ops.get(&term) {
                Some(&Op::Unary { f: Unary::Copy, a, .. }) => match self.step(term) {
                    Some(step) => far(step),
                    None => {
                        terms.push(a);
                        false
                    }
                },
                Some(&Op::Binary { f: Binary::AddI | Binary::SubI, a, b, .. }) => {
                    terms.extend([a, b]);
                    false
                }
                Some(&Op::Binary { f: Binary::MulI, a, b, .. }) => {
                    match (self.step(a), self.step(b), self.kernel.known(a), self.kernel.known(b)) {
                        (Some(step), None, _, Some(by)) | (None, Some(step), Some(by), _) => {
                            far(step.saturating_mul(by))
                        }
                        // Rows whose length is known only at launch.
                        (Some(_), None, _, None) | (None, Some(_), None, _) => true,
                        _ => false,
                    }
                }
                Some(&Op::Binary { f: Binary::Shl, a, b, .. }) => {
                    let by = self.kernel.known(b).filter(|&by| by < 32);
                    self.step(a).zip(by).is_some_and(|(step, by)| far(step.saturating_mul(1 << by)))
                }
                _ => false,
            };
            if jumps {
                return true;
            }
        }
        false
    }

    /// The distance by which a register moves in each iteration, up or down, if it is a copy of a
    /// variable with a constant step.
    fn step(&self, reg: Reg) -> Option<u32> {
        match self.ops.get(&reg)? {
            Op::Unary { f: Unary::Copy, a, .. } => {
                self.steps.get(a).map(|step| step.unsigned_abs())
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Gangs, compile, print};
    use crate::kernel::Kernel;

    /// Whether the loop of a kernel is on the workgroup's level, with the gangs inside.
    fn is_in_step(size: u32, body: &str) -> bool {
        let text = format!(
            "@group(0) @binding(0) var<storage, read> src: array<f32>;
            @group(0) @binding(1) var<storage, read_write> dst: array<f32>;
            @group(0) @binding(2) var<uniform> n: u32;
            var<workgroup> cells: array<f32, {size}>;
            @compute @workgroup_size({size})
            fn main(@builtin(local_invocation_index) i: u32) {{
                var sum = 0.0;
                {body}
                cells[i] = sum;
                workgroupBarrier();
                dst[i] = cells[{size}u - 1u - i];
            }}"
        );
        let printed = print(&compile(&Kernel::from_wgsl(&text).unwrap(), Gangs::of(16)).unwrap());
        // A loop of the workgroup's level is not indented.
        printed.lines().any(|line| line.starts_with("loop "))
    }

    #[test]
    fn loops_that_jump_over_what_other_gangs_load_go_in_step() {
        assert!(is_in_step(64, "for (var k = 0u; k < 40u; k++) { sum += src[k * 64u + i]; }"));
        assert!(is_in_step(64, "for (var k = 0u; k < n; k++) { sum += src[(k << 6u) + i]; }"));
        assert!(is_in_step(64, "for (var k = 0u; k < 4000u; k += 64u) { sum += src[k + i]; }"));
        assert!(is_in_step(64, "for (var k = 0u; k < 40u; k++) { sum += src[k * n + i]; }"));
        assert!(is_in_step(64, "for (var k = 4000u; k >= 64u; k -= 64u) { sum += src[k + i]; }"));
    }

    #[test]
    fn a_second_variable_that_moves_beside_the_counter_is_an_index_as_good() {
        let up = "var at = i; for (var k = 0u; k < 40u; k++) { sum += src[at]; at += 64u; }";
        assert!(is_in_step(64, up));
        let down =
            "var at = 4000u + i; for (var k = 0u; k < 40u; k++) { at -= 64u; sum += src[at]; }";
        assert!(is_in_step(64, down));
        let near = "var at = i; for (var k = 0u; k < 40u; k++) { sum += src[at]; at += 1u; }";
        assert!(!is_in_step(64, near));
        let back = "var at = i; for (var k = 0u; k < 40u; k++) { sum += src[at]; at -= 1u; }";
        assert!(!is_in_step(64, back));
    }

    #[test]
    fn variables_that_a_loop_makes_of_each_other_are_followed_once() {
        let swapped = "var a = i; var b = i; for (var k = 0u; k < 40u; k++) {
            let c = a; a = b + 1u; b = c; sum += src[a]; }";
        assert!(!is_in_step(64, swapped));
        let inner = "for (var j = 0u; j < 4u; j++) { for (var k = 0u; k < 4u; k++) {
            sum += src[k + i]; } }";
        assert!(!is_in_step(64, inner));
        // Each sum uses the previous one twice.
        let doubled = format!(
            "for (var k = 0u; k < 40u; k++) {{ var a = i; {} sum += src[a]; }}",
            "a = a + a;".repeat(20)
        );
        assert!(!is_in_step(64, &doubled));
    }

    #[test]
    fn what_lanes_decide_for_themselves_elsewhere_does_not_matter() {
        let own = "for (var k = 0u; k < 40u; k++) { sum += src[k * 64u + i]; }
            loop { if sum > 50.0 { break; } sum = sum * 2.0 + 1.0; }";
        assert!(is_in_step(64, own));
    }

    #[test]
    fn loops_that_would_not_gain_stay_with_their_gang() {
        // One gang; a window that slides; a separate stretch for each lane; too much to keep; iterations
        // that differ from lane to lane.
        assert!(!is_in_step(16, "for (var k = 0u; k < 40u; k++) { sum += src[k * 16u + i]; }"));
        assert!(!is_in_step(64, "for (var k = 0u; k < 40u; k++) { sum += src[k + i]; }"));
        assert!(!is_in_step(64, "for (var k = 0u; k < 40u; k++) { sum += src[i * 40u + k]; }"));
        let many = "var a = 0.0; var b = 0.0; for (var k = 0u; k < 40u; k++) {
            let x = src[k * 64u + i]; sum += x; a += x * x; b = max(b, x); } sum += a + b;";
        assert!(!is_in_step(64, many));
        assert!(!is_in_step(64, "for (var k = i; k < n; k += 64u) { sum += src[k * 64u + i]; }"));
    }
}
