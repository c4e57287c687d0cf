//! Versions of `Gangs` regions for the interior of a grid, without the guards that only edges need.
//!
//! A workgroup knows the ranges of its ids, of loop counters, and of values that are computed from them. If
//! such a range ends below a bound, a guard `i < n` is true in all lanes, an index is in bounds, and
//! `min(i + 1, n - 1)` is `i + 1`. This pass assumes all of that and collects the assumptions as [`Facts`], which a
//! workgroup checks with a few scalar operations. Workgroups in which they don't hold execute the unchanged
//! region. A rewrite that needs no fact is done in place. What always holds: registers of the new region are
//! new, variables are the same.

mod ahead;
mod ranges;

use std::collections::HashMap;

use super::counted::{self, Counter};
use super::ir::{Kernel, Node, Region, Versions};
use super::liveness::{Access as Use, access};
use super::shape::{self, Class, Shapes};
use super::wide::{Facts, Less, Wide};
use crate::cpu::interpreter::bytecode::{Address, Memory, NONE, Op};
use crate::cpu::interpreter::class::Class as RegClass;
use crate::cpu::interpreter::functions::{Binary, Reg, Unary};
use crate::kernel::Kernel as Source;
use ranges::{Interval, MOST_FACTS, Ranges};

/// The most nodes of a region that is duplicated.
const LARGEST: usize = 600;

/// The most operations from an index to its value in the next iteration.
const AHEAD: u32 = 32;

/// The most operations of a guard's condition.
const CONDITION: u32 = 32;

/// Gives the kernel's regions their interior versions.
pub(super) fn split(kernel: &mut Kernel, source: &Source, shapes: &mut Shapes) {
    let mut body = std::mem::take(&mut kernel.body);
    region(kernel, source, shapes, &[], &mut body);
    kernel.body = body;
}

/// `steps` are the variables to which each iteration of a loop around the region adds a constant.
fn region(
    kernel: &mut Kernel,
    source: &Source,
    shapes: &mut Shapes,
    steps: &[(Reg, i32)],
    inside: &mut Region,
) {
    for node in &mut inside.nodes {
        if let Node::Gangs { body, most } = node {
            let mut size = 0;
            body.for_each(&mut |_| size += 1);
            if size <= LARGEST
                && let Some(new) = version(kernel, source, shapes, steps, (body, *most))
            {
                *node = new;
            }
            continue;
        }
        let steps = match node {
            Node::Loop(l) => counted::steps(kernel, l),
            _ => steps.to_vec(),
        };
        for inner in node.regions_mut() {
            region(kernel, source, shapes, &steps, inner);
        }
        if let Node::Loop(l) = node {
            ahead::spread(kernel, shapes, &mut l.body);
        }
    }
}

/// The replacement of a `Gangs` region.
fn version(
    kernel: &mut Kernel,
    source: &Source,
    shapes: &mut Shapes,
    steps: &[(Reg, i32)],
    (body, most): (&Region, Option<u32>),
) -> Option<Node> {
    let mut ops = HashMap::new();
    let mut collect = |node: &Node| {
        if let Node::Op(op) = node {
            op.clone().for_each_result(&mut |reg| {
                if !kernel.is_variable(*reg) {
                    ops.insert(*reg, op.clone());
                }
            });
        }
    };
    body.for_each(&mut collect);
    let width = kernel.width;
    let ranges = Ranges {
        kernel,
        shapes,
        ops,
        facts: Facts::default(),
        known: HashMap::new(),
        variables: HashMap::new(),
        same: HashMap::new(),
        stored: HashMap::new(),
        steps,
        most: most.map(|most| i64::from(most) * i64::from(width)),
    };
    let (needs, names) = (Vec::new(), HashMap::new());
    let mut walk = Walk { ranges, needs, names, gained: false, gained_more: false };
    let inner = walk.region(body, None);
    let Walk { ranges: Ranges { mut facts, .. }, needs, gained, gained_more, .. } = walk;
    facts.less = needs;
    facts.tidy();
    let gains = gained_more || gained && facts.less.is_empty();
    if !gains || facts.less.len() > MOST_FACTS {
        return None;
    }
    shape::refresh(kernel, source, shapes, &inner);
    if facts.less.is_empty() {
        return Some(Node::Gangs { body: inner, most });
    }
    let mut wrap = |body: Region| {
        let id = kernel.regions;
        kernel.regions += 1;
        Region { id, nodes: vec![Node::Gangs { body, most }] }
    };
    let (inner, edge) = (wrap(inner), wrap(body.clone()));
    Some(Node::Versions(Box::new(Versions { facts, inner, edge })))
}

struct Walk<'k> {
    ranges: Ranges<'k>,
    /// The assumptions so far.
    needs: Vec<Less>,
    /// The new register of each old one.
    names: HashMap<Reg, Reg>,
    /// Whether any check became superfluous; and whether it was a guard, a minimum or maximum, or in
    /// storage.
    gained: bool,
    gained_more: bool,
}

impl Walk<'_> {
    // Registers and regions.

    fn fresh(&mut self, like: Reg) -> Reg {
        let shape = self.ranges.shapes.regs[like as usize];
        self.ranges.shapes.regs.push(shape);
        self.ranges.kernel.classes.push(RegClass::Temporary);
        (self.ranges.kernel.classes.len() - 1) as Reg
    }

    fn name(&self, reg: Reg) -> Reg {
        self.names.get(&reg).copied().unwrap_or(reg)
    }

    /// Forgets the variables that a region sets.
    fn forget(&mut self, region: &Region) {
        region.for_each(&mut |node| {
            if let Node::Op(op) = node
                && let Some(Use::Set(var) | Use::Change(var)) = access(self.ranges.kernel, op)
            {
                self.ranges.variables.remove(&var);
                self.ranges.stored.remove(&var);
            }
        });
    }

    /// Copies a region. With a counter it is a loop's body, and after its first decision the counter is
    /// below the bound.
    fn region(&mut self, region: &Region, counter: Option<(Counter, Option<Interval>)>) -> Region {
        let id = self.ranges.kernel.regions;
        self.ranges.kernel.regions += 1;
        let mut nodes = Vec::new();
        self.nodes(region, counter, &mut nodes);
        Region { id, nodes }
    }

    fn nodes(
        &mut self,
        region: &Region,
        mut counter: Option<(Counter, Option<Interval>)>,
        out: &mut Vec<Node>,
    ) {
        for node in &region.nodes {
            match node {
                Node::Op(op) => self.op(op, out),
                Node::If { condition, accept, reject } => {
                    self.branch(*condition, accept, reject, out);
                    if let Some((counter, Some(first))) = counter.take() {
                        self.counts(&counter, first);
                    }
                }
                Node::Loop(l) => {
                    let counter = counted::counter(self.ranges.kernel, l).map(|counter| {
                        (counter, self.ranges.variables.get(&counter.variable).cloned())
                    });
                    self.forget(&l.body);
                    self.forget(&l.continuing);
                    let body = self.region(&l.body, counter);
                    let continuing = self.region(&l.continuing, None);
                    self.forget(&l.body);
                    self.forget(&l.continuing);
                    let break_if = l.break_if.map(|reg| self.name(reg));
                    let mut new = (**l).clone();
                    (new.body, new.continuing, new.break_if) = (body, continuing, break_if);
                    out.push(Node::Loop(Box::new(new)));
                }
                Node::Once { target, body } => {
                    self.forget(body);
                    let new = self.region(body, None);
                    self.forget(body);
                    out.push(Node::Once { target: *target, body: new });
                }
                other => out.push(other.clone()),
            }
        }
    }

    /// Limits a loop's counter for the rest of the body.
    fn counts(&mut self, counter: &Counter, first: Interval) {
        let interval = (|| {
            let bound = self.ranges.interval(counter.bound)?;
            // The loop compares the registers, so they must hold the exact values.
            let mut needs = self.ranges.exact(&first, counter.signed)?;
            needs.extend(self.ranges.exact(&bound, counter.signed)?);
            let one = self.ranges.facts.constant(1)?;
            let high = self.ranges.facts.number(Wide::Sub(bound.high, one))?;
            Some(Interval { low: first.low, high, needs })
        })();
        if let Some(interval) = interval {
            self.ranges.variables.insert(counter.variable, interval);
        }
    }

    fn branch(&mut self, condition: Reg, accept: &Region, reject: &Region, out: &mut Vec<Node>) {
        let (taken, truth) = match (accept.nodes.is_empty(), reject.nodes.is_empty()) {
            (false, true) => (Some(accept), true),
            (true, false) => (Some(reject), false),
            _ => (None, true),
        };
        let varies = self.ranges.shapes.regs[condition as usize].class > Class::Workgroup;
        if let Some(taken) = taken
            && varies
            && !leaves(taken)
            && let Some(needs) = self.ranges.assume(condition, truth, &mut CONDITION.clone())
        {
            self.require(needs);
            self.gained_more = true;
            self.nodes(taken, None, out);
            return;
        }
        let condition = self.name(condition);
        let state = (self.ranges.variables.clone(), self.ranges.stored.clone());
        let new_accept = self.region(accept, None);
        (self.ranges.variables, self.ranges.stored) = state.clone();
        let new_reject = self.region(reject, None);
        (self.ranges.variables, self.ranges.stored) = state;
        self.forget(accept);
        self.forget(reject);
        out.push(Node::If { condition, accept: new_accept, reject: new_reject });
    }

    fn require(&mut self, needs: Vec<Less>) {
        for need in needs {
            if !self.needs.contains(&need) {
                self.needs.push(need);
            }
        }
    }

    // Operations.

    fn op(&mut self, op: &Op, out: &mut Vec<Node>) {
        if let Some(Use::Set(var) | Use::Change(var)) = access(self.ranges.kernel, op) {
            self.ranges.variables.remove(&var);
            self.ranges.stored.remove(&var);
        }
        let mut new = op.clone();
        new.for_each_source(&mut |reg| *reg = self.name(*reg));
        match *op {
            Op::Unary { f: Unary::Copy, dst, a } if self.ranges.kernel.is_variable(dst) => {
                if self.ranges.kernel.array_of(dst).is_none() {
                    if let Some(interval) = self.ranges.interval(a) {
                        self.ranges.variables.insert(dst, interval);
                    }
                    self.ranges.stored.insert(dst, self.ranges.origin(a));
                }
                out.push(Node::Op(new));
                return;
            }
            Op::Unary { f: Unary::Copy, dst, a } if self.ranges.kernel.is_variable(a) => {
                if let Some(&value) = self.ranges.stored.get(&a) {
                    self.ranges.same.insert(dst, value);
                }
                let interval = self.ranges.variable(a);
                self.ranges.known.insert(dst, interval);
            }
            Op::Binary { f, dst, a, b } => {
                if let Some((kept, needs)) = self.nearest(f, a, b) {
                    self.require(needs);
                    self.gained_more = true;
                    let interval = self.ranges.interval(kept);
                    self.ranges.known.insert(dst, interval);
                    new = Op::Unary { f: Unary::Copy, dst, a: self.name(kept) };
                }
            }
            Op::Load(ref old) => {
                let outer = self.inside(&old.address, out);
                if let (Op::Load(access), Some(outer)) = (&mut new, outer) {
                    access.address.outer = outer;
                    self.prefetch(&old.address, out);
                }
            }
            Op::Store(ref old) => {
                let outer = self.inside(&old.address, out);
                if let (Op::Store(access), Some(outer)) = (&mut new, outer) {
                    access.address.outer = outer;
                }
            }
            _ => {}
        }
        let mut results = Vec::new();
        new.for_each_result(&mut |reg| results.push(*reg));
        for reg in results {
            if !self.ranges.kernel.is_variable(reg) {
                let fresh = self.fresh(reg);
                self.names.insert(reg, fresh);
            }
        }
        new.for_each_result(&mut |reg| *reg = self.names.get(reg).copied().unwrap_or(*reg));
        if let Op::Index { dst, index, bound, .. } = *op
            && let Some(needs) = self.ranges.below(index, i64::from(bound))
        {
            self.require(needs);
            self.gained = true;
            self.ranges.kernel.inside.insert(self.names[&dst]);
        }
        out.push(Node::Op(new));
    }

    /// A new name of the outer index, if facts keep it in bounds.
    fn inside(&mut self, address: &Address, out: &mut Vec<Node>) -> Option<Reg> {
        let Memory::Storage(binding) = address.memory else { return None };
        if address.outer == NONE {
            return None;
        }
        let index = self.ranges.interval(address.outer)?;
        let mut needs = self.ranges.exact(&index, address.signed)?;
        let length = self.ranges.facts.number(Wide::Length(binding))?;
        if !self.ranges.facts.less(index.high, length, &mut needs) {
            return None;
        }
        self.require(needs);
        self.gained_more = true;
        // Other uses of the register may be out of bounds, or index another buffer.
        let dst = self.fresh(address.outer);
        out.push(Node::Op(Op::Unary { f: Unary::Copy, dst, a: self.name(address.outer) }));
        self.ranges.kernel.inside.insert(dst);
        Some(dst)
    }

    /// Prefetches the data that a load reads in the next iteration of the loop around the region, since
    /// the rest of this iteration is time enough.
    fn prefetch(&mut self, address: &Address, out: &mut Vec<Node>) {
        let class = self.ranges.shapes.regs[address.outer as usize].class;
        if self.ranges.steps.is_empty()
            || !matches!(class, Class::Strided(1))
            || address.inner != NONE
        {
            return;
        }
        let outer = self.next_turn(address.outer, &mut AHEAD.clone(), out);
        if let Some(outer) = outer.filter(|&outer| outer != self.name(address.outer)) {
            out.push(Node::Prefetch(Box::new(Address { outer, ..address.clone() })));
        }
    }

    /// The value of a register in the next iteration; the register itself if that is the same.
    fn next_turn(&mut self, reg: Reg, left: &mut u32, out: &mut Vec<Node>) -> Option<Reg> {
        *left = left.checked_sub(1)?;
        let Some(mut op) = self.ranges.ops.get(&reg).cloned() else { return Some(self.name(reg)) };
        let mut now = Vec::new();
        match op {
            Op::Unary { f: Unary::Copy, a, .. } if self.ranges.kernel.is_variable(a) => {
                let Some(&(_, step)) = self.ranges.steps.iter().find(|(var, _)| *var == a) else {
                    return Some(self.name(reg));
                };
                let by = self.fresh(reg);
                self.ranges.kernel.classes[by as usize] = RegClass::Constant(step as u32);
                let dst = self.fresh(reg);
                let a = self.name(reg);
                out.push(Node::Op(Op::Binary { f: Binary::AddI, dst, a, b: by }));
                return Some(dst);
            }
            Op::Unary { a, .. } => now.push(a),
            Op::Binary { a, b, .. } => now.extend([a, b]),
            _ => return Some(self.name(reg)),
        }
        let mut then = Vec::new();
        for &operand in &now {
            then.push(self.next_turn(operand, left, out)?);
        }
        if now.iter().zip(&then).all(|(&now, &then)| self.name(now) == then) {
            return Some(self.name(reg));
        }
        let dst = self.fresh(reg);
        let mut then = then.into_iter();
        op.for_each_source(&mut |source| *source = then.next().unwrap_or(*source));
        op.for_each_result(&mut |result| *result = dst);
        out.push(Node::Op(op));
        Some(dst)
    }

    /// For a minimum or maximum of which one operand is consecutive from lane to lane: that operand, and
    /// the facts under which it is the result.
    fn nearest(&mut self, f: Binary, a: Reg, b: Reg) -> Option<(Reg, Vec<Less>)> {
        let signed = match f {
            Binary::MinU | Binary::MaxU => false,
            Binary::MinI | Binary::MaxI => true,
            _ => return None,
        };
        let near = |reg: Reg| {
            matches!(self.ranges.shapes.regs[reg as usize].class, Class::Strided(1) | Class::Likely)
        };
        let (kept, other) = match (near(a), near(b)) {
            (true, false) => (a, b),
            (false, true) => (b, a),
            _ => return None,
        };
        let (x, y) = (self.ranges.interval(kept)?, self.ranges.interval(other)?);
        let mut needs = self.ranges.exact(&x, signed)?;
        needs.extend(self.ranges.exact(&y, signed)?);
        let one = self.ranges.facts.constant(1)?;
        let holds = if matches!(f, Binary::MinU | Binary::MinI) {
            let above = self.ranges.facts.number(Wide::Add(y.low, one))?;
            self.ranges.facts.less(x.high, above, &mut needs)
        } else {
            let above = self.ranges.facts.number(Wide::Add(x.low, one))?;
            self.ranges.facts.less(y.high, above, &mut needs)
        };
        holds.then_some((kept, needs))
    }
}

/// Whether a lane may leave a region otherwise than at its end.
fn leaves(region: &Region) -> bool {
    let (mut inside, mut left) = (Vec::new(), false);
    region.for_each(&mut |node| match node {
        Node::Loop(l) => inside.push(l.target),
        Node::Once { target, .. } => inside.push(*target),
        Node::Break(target) | Node::Continue(target) => left |= !inside.contains(target),
        Node::Return => left = true,
        _ => {}
    });
    left
}

#[cfg(test)]
mod tests {
    use super::super::{Gangs, compile, print};
    use crate::kernel::Kernel;

    #[test]
    fn a_guard_around_a_loop_is_gone_in_the_interior() {
        let text = include_str!("../../../kernels/matmul_naive.wgsl");
        let kernel = Kernel::from_wgsl(text).unwrap();
        let printed = print(&compile(&kernel, Gangs::of(16)).unwrap());
        let (_, versions) = printed.split_once("\nwhere ").expect("an interior");
        let (inner, edge) = versions.split_once("\nelsewhere\n").expect("an edge");
        let branches = |text: &str| text.lines().filter(|line| line.contains(" if ")).count();
        assert_eq!(branches(inner), 1, "the loop's own:\n{inner}");
        assert_eq!(branches(edge), 2, "{edge}");
    }

    #[test]
    fn the_next_tile_is_asked_for_while_this_one_is_computed_with() {
        let kernel = Kernel::from_wgsl(include_str!("../../../kernels/matmul.wgsl")).unwrap();
        let printed = print(&compile(&kernel, Gangs::of(16)).unwrap());
        // The region that fills tiles prefetches nothing.
        let lines: Vec<&str> = printed.lines().collect();
        let at = |what: &str| lines.iter().rposition(|line| line.contains(what));
        let prefetch = at("prefetch").unwrap_or_else(|| panic!("no prefetch:\n{printed}"));
        let fill = lines[..prefetch].iter().rposition(|line| line.contains("store Workgroup"));
        let gangs = lines[..prefetch].iter().rposition(|line| line.trim() == "gangs");
        assert!(fill < gangs, "{printed}");
    }
}
