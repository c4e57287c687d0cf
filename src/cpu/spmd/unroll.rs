//! Unrolls loops around barriers if the iterations are few and known at compile time.
//!
//! The tree of a reduction halves its stride with each iteration; a scan doubles it. In an unrolled loop
//! each iteration knows its stride: which gangs and lanes it concerns, and where they load. Values that
//! follow are constants in the copy, so a later pass sees `index < 64`. What always holds: a copy has
//! registers and targets of its own, and a node in it is reached by the lanes that reach it in that
//! iteration, so nothing has to be uniform. A loop stays as it is if a decision to leave it is not known, or
//! if the copies would be too large.

use std::collections::HashMap;

use super::ir::{Kernel, Loop, Node, Region, Target};
use super::liveness::{Access, access};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::class::Class;
use crate::cpu::interpreter::functions::{Reg, Unary};

/// The most iterations of a loop: a workgroup has 1024 invocations, and a tree of them ten levels.
const TURNS: usize = 16;

/// The most nodes of all iterations of a loop together.
const NODES: usize = 400;

/// The most nodes examined for the decision: inner loops are examined again for each outer loop.
const LOOKS: usize = 10 * NODES;

/// The known values of variables.
type Known = HashMap<Reg, u32>;

/// Unrolls the loops of a kernel.
pub(super) fn unroll(kernel: &mut Kernel) {
    let mut body = std::mem::take(&mut kernel.body);
    if body.has_barrier() {
        region(kernel, &mut body, &mut Known::new());
    }
    kernel.body = body;
}

fn region(kernel: &mut Kernel, inside: &mut Region, known: &mut Known) {
    for mut node in std::mem::take(&mut inside.nodes) {
        if let Node::Loop(l) = &node
            && node.has_barrier()
        {
            let mut writer = Writer::new(kernel);
            let (mut out, mut after) = (Vec::new(), known.clone());
            if writer.turns(l, &mut out, &mut after) {
                inside.nodes.append(&mut out);
                *known = after;
                continue;
            }
        }
        match &node {
            Node::Op(op) => set(kernel, op, known),
            _ => node.regions().into_iter().for_each(|inner| forget(kernel, inner, known)),
        }
        if node.has_barrier() {
            for inner in node.regions_mut() {
                region(kernel, inner, &mut known.clone());
            }
        }
        inside.nodes.push(node);
    }
}

/// Updates the known values of variables after an operation.
fn set(kernel: &Kernel, op: &Op, known: &mut Known) {
    let Some(Access::Set(var) | Access::Change(var)) = access(kernel, op) else { return };
    let value = match *op {
        Op::Unary { f: Unary::Copy, dst, a } if dst == var => kernel.known(a),
        _ => None,
    };
    match value {
        Some(value) if kernel.array_of(var).is_none() => known.insert(var, value),
        _ => known.remove(&var),
    };
}

/// Forgets the variables that a region sets.
fn forget(kernel: &Kernel, region: &Region, known: &mut Known) {
    region.for_each(&mut |node| {
        if let Node::Op(op) | Node::UniformLoad(op) = node
            && let Some(Access::Set(var) | Access::Change(var)) = access(kernel, op)
        {
            known.remove(&var);
        }
    });
}

/// Where lanes go after some nodes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Flow {
    On,
    /// They break (true) or continue a loop that is being unrolled.
    Away(Target, bool),
}

struct Writer<'k> {
    kernel: &'k mut Kernel,
    constants: HashMap<u32, Reg>,
    /// The names of registers in this iteration. A known value has a constant's name.
    names: HashMap<Reg, Reg>,
    /// The new targets of loops and switches that are copied as they are.
    targets: HashMap<Target, Target>,
    /// The loops that are being unrolled, and the number of undecided nodes around each.
    loops: Vec<(Target, u32)>,
    depth: u32,
    left: usize,
    looks: usize,
}

impl Writer<'_> {
    fn new(kernel: &mut Kernel) -> Writer<'_> {
        let (names, targets, loops) = (HashMap::new(), HashMap::new(), Vec::new());
        let constants = (0..).zip(&kernel.classes).filter_map(|(reg, class)| match *class {
            Class::Constant(value) => Some((value, reg)),
            _ => None,
        });
        let constants = constants.collect();
        let (left, looks) = (NODES, LOOKS);
        Writer { kernel, constants, names, targets, loops, depth: 0, left, looks }
    }

    /// Writes all iterations of a loop. Returns false if that can't be done.
    fn turns(&mut self, l: &Loop, out: &mut Vec<Node>, known: &mut Known) -> bool {
        self.loops.push((l.target, self.depth));
        let mut more = Some(true);
        let mut turns = 0;
        while more == Some(true) && turns < TURNS {
            more = self.turn(l, out, known);
            turns += 1;
        }
        self.loops.pop();
        more == Some(false)
    }

    /// Writes one iteration. Returns whether another one follows, or `None` if that is not known.
    fn turn(&mut self, l: &Loop, out: &mut Vec<Node>, known: &mut Known) -> Option<bool> {
        match self.nodes(&l.body, out, known)? {
            Flow::Away(target, true) if target == l.target => return Some(false),
            Flow::Away(target, _) if target != l.target => return None,
            _ => {}
        }
        if self.nodes(&l.continuing, out, known)? != Flow::On {
            return None;
        }
        let Some(condition) = l.break_if else { return Some(true) };
        Some(self.kernel.known(self.name(condition))? == 0)
    }

    fn name(&self, reg: Reg) -> Reg {
        self.names.get(&reg).copied().unwrap_or(reg)
    }

    fn nodes(&mut self, region: &Region, out: &mut Vec<Node>, known: &mut Known) -> Option<Flow> {
        for node in &region.nodes {
            self.left = self.left.checked_sub(1)?;
            self.looks = self.looks.checked_sub(1)?;
            match node {
                Node::Op(op) => self.op(op, out, known),
                Node::UniformLoad(op) => {
                    let op = self.renamed(op);
                    out.push(Node::UniformLoad(op));
                }
                Node::Barrier => out.push(Node::Barrier),
                Node::If { condition, accept, reject } => {
                    let condition = self.name(*condition);
                    let flow = match self.kernel.known(condition) {
                        Some(0) => self.nodes(reject, out, known)?,
                        Some(_) => self.nodes(accept, out, known)?,
                        None => {
                            let accept = self.undecided(accept, known)?;
                            let reject = self.undecided(reject, known)?;
                            out.push(Node::If { condition, accept, reject });
                            Flow::On
                        }
                    };
                    if flow != Flow::On {
                        return Some(flow);
                    }
                }
                Node::Loop(l) => self.inner_loop(l, out, known)?,
                Node::Once { target, body } => {
                    let target = self.target(*target);
                    let body = self.undecided(body, known)?;
                    out.push(Node::Once { target, body });
                }
                Node::Break(target) | Node::Continue(target) => {
                    let breaks = matches!(node, Node::Break(_));
                    if let Some(&new) = self.targets.get(target) {
                        out.push(if breaks { Node::Break(new) } else { Node::Continue(new) });
                        return Some(Flow::On);
                    }
                    let decided = self.loops.contains(&(*target, self.depth));
                    return decided.then_some(Flow::Away(*target, breaks));
                }
                Node::Return | Node::Gangs { .. } | Node::Prefetch(_) | Node::Versions(_) => {
                    return None;
                }
            }
        }
        Some(Flow::On)
    }

    /// A copy of a region that only some lanes execute, or that is executed any number of times.
    fn undecided(&mut self, region: &Region, known: &mut Known) -> Option<Region> {
        let (mut nodes, mut inside) = (Vec::new(), known.clone());
        self.depth += 1;
        let flow = self.nodes(region, &mut nodes, &mut inside);
        self.depth -= 1;
        forget(self.kernel, region, known);
        (flow? == Flow::On).then_some(Region { id: 0, nodes })
    }

    fn target(&mut self, old: Target) -> Target {
        let new = self.kernel.targets;
        self.kernel.targets += 1;
        self.targets.insert(old, new);
        new
    }

    /// Writes a loop in a loop, unrolled if it has a barrier and can be.
    fn inner_loop(&mut self, l: &Loop, out: &mut Vec<Node>, known: &mut Known) -> Option<()> {
        let barrier = l.body.has_barrier() || l.continuing.has_barrier();
        if barrier {
            let (mut turns, mut after, left) = (Vec::new(), known.clone(), self.left);
            if self.turns(l, &mut turns, &mut after) {
                out.append(&mut turns);
                *known = after;
                return Some(());
            }
            self.left = left;
        }
        forget(self.kernel, &l.body, known);
        forget(self.kernel, &l.continuing, known);
        let target = self.target(l.target);
        let body = self.undecided(&l.body, known)?;
        let continuing = self.undecided(&l.continuing, known)?;
        let break_if = l.break_if.map(|reg| self.name(reg));
        let (finite, span) = (l.finite, l.span);
        out.push(Node::Loop(Box::new(Loop { target, body, continuing, break_if, finite, span })));
        Some(())
    }

    fn op(&mut self, op: &Op, out: &mut Vec<Node>, known: &mut Known) {
        if let Some((dst, value)) = self.value(op, known) {
            let constant = self.constant(value);
            self.names.insert(dst, constant);
            return;
        }
        let new = self.renamed(op);
        set(self.kernel, &new, known);
        out.push(Node::Op(new));
    }

    /// The result of an operation, if it is known.
    fn value(&self, op: &Op, known: &Known) -> Option<(Reg, u32)> {
        let value = |reg: Reg| self.kernel.known(self.name(reg));
        let (dst, value) = match *op {
            Op::Unary { f: Unary::Copy, dst, a } if self.kernel.is_variable(a) => {
                (dst, *known.get(&a)?)
            }
            Op::Unary { f, dst, a } => (dst, f.eval([value(a)?])),
            Op::Binary { f, dst, a, b } => (dst, f.eval([value(a)?, value(b)?])),
            Op::Ternary { f, dst, a, b, c } => (dst, f.eval([value(a)?, value(b)?, value(c)?])),
            _ => return None,
        };
        (!self.kernel.is_variable(dst)).then_some((dst, value))
    }

    fn constant(&mut self, value: u32) -> Reg {
        if let Some(&reg) = self.constants.get(&value) {
            return reg;
        }
        let reg = self.kernel.classes.len() as Reg;
        self.kernel.classes.push(Class::Constant(value));
        self.constants.insert(value, reg);
        reg
    }

    /// An operation in this iteration's names, with a new name for each of its results.
    fn renamed(&mut self, op: &Op) -> Op {
        let mut new = op.clone();
        new.for_each_source(&mut |reg| *reg = self.name(*reg));
        new.for_each_result(&mut |reg| {
            if self.kernel.is_variable(*reg) {
                return;
            }
            let fresh = self.kernel.classes.len() as Reg;
            self.kernel.classes.push(Class::Temporary);
            if self.kernel.inside.contains(reg) {
                self.kernel.inside.insert(fresh);
            }
            self.names.insert(*reg, fresh);
            *reg = fresh;
        });
        new
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Gangs, compile, print};
    use crate::kernel::Kernel;

    /// The number of loops left of a kernel of 64 invocations, and whether a region is limited to some
    /// gangs.
    fn left(body: &str) -> (usize, bool) {
        let text = format!(
            "override N = 4u;
            @group(0) @binding(0) var<storage, read_write> dst: array<u32>;
            var<workgroup> cells: array<u32, 64>;
            @compute @workgroup_size(64)
            fn main(@builtin(local_invocation_index) i: u32) {{
                cells[i] = i;
                workgroupBarrier();
                {body}
                dst[i] = cells[i];
            }}"
        );
        let printed = print(&compile(&Kernel::from_wgsl(&text).unwrap(), Gangs::of(16)).unwrap());
        (printed.matches("loop ").count(), printed.contains("gangs below"))
    }

    #[test]
    fn loops_with_known_turns_are_written_out_and_know_whom_they_concern() {
        let tree = "for (var h = 32u; h > 0u; h /= 2u) {
            if i < h { cells[i] += cells[i + h]; } workgroupBarrier(); }";
        assert_eq!(left(tree), (0, true));
        let scan = "var h = 1u; while h < 64u { var x = 0u; if i >= h { x = cells[i - h]; }
            workgroupBarrier(); cells[i] += x; workgroupBarrier(); h *= 2u; }";
        assert_eq!(left(scan), (0, false));
        let nested = "for (var a = 0u; a < N; a++) { for (var b = 0u; b < a; b++) {
            if b == 2u { break; } if a == 1u { continue; } workgroupBarrier(); cells[i] += b; } }";
        assert_eq!(left(nested), (0, false));
    }

    #[test]
    fn loops_with_unknown_turns_and_long_ones_stay() {
        let unknown = "let n = arrayLength(&dst);
            for (var k = 0u; k < n; k++) { workgroupBarrier(); cells[i] += k; }";
        assert_eq!(left(unknown), (1, false));
        let long = "for (var k = 0u; k < 17u; k++) { workgroupBarrier(); cells[i] += k; }";
        assert_eq!(left(long), (1, false));
        // The inner one is short, whatever the outer one does.
        let half = "let n = arrayLength(&dst); for (var k = 0u; k < n; k++) {
            for (var l = 0u; l < 3u; l++) { workgroupBarrier(); cells[i] += l; } }";
        assert_eq!(left(half), (1, false));
    }
}
