//! The interior of a grid: `Gangs` regions once more, without the guards that only edges need.
//!
//! A workgroup knows the range of each of its ids, of loop counters, and of what is computed from
//! them. Where such a range ends below a bound, a guard `i < n` is true for all, an index is
//! inside, `min(i + 1, n - 1)` is `i + 1`. This pass assumes all of that, collects what it assumed
//! as [`Facts`] that a workgroup checks with a few scalar operations, and leaves the region as it
//! was for those where they don't hold. What needs no fact because it always holds is rewritten in
//! place. What always holds: registers of the new region are new, variables are the same.

use std::collections::HashMap;

use super::counted::{self, Counter};
use super::ir::{Kernel, Node, Region, Versions};
use super::liveness::{Access as Use, access};
use super::shape::{self, Class, Shapes};
use super::wide::{Facts, Less, Number, WORD, Wide};
use crate::cpu::interpreter::bytecode::{Address, Builtin, Memory, NONE, Op};
use crate::cpu::interpreter::compile::Class as RegClass;
use crate::cpu::interpreter::functions::{Binary, Reg, Unary};
use crate::kernel::Kernel as Source;

/// Nodes of a region that is worth having twice.
const LARGEST: usize = 600;

/// How far an index is followed to find its next value.
const DEEPEST: u32 = 12;

/// Comparisons that a workgroup makes at most.
const MOST_FACTS: usize = 48;

/// Gives the kernel's regions their interior versions.
pub(super) fn split(kernel: &mut Kernel, source: &Source, shapes: &mut Shapes) {
    let mut body = std::mem::take(&mut kernel.body);
    region(kernel, source, shapes, &[], &mut body);
    kernel.body = body;
}

/// `steps` are variables that grow with each turn of a loop around the region.
fn region(
    kernel: &mut Kernel,
    source: &Source,
    shapes: &mut Shapes,
    steps: &[(Reg, u32)],
    inside: &mut Region,
) {
    for node in &mut inside.nodes {
        if let Node::Gangs(body) = node {
            let mut size = 0;
            body.for_each(&mut |_| size += 1);
            if size <= LARGEST
                && let Some(new) = version(kernel, source, shapes, steps, body)
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
    }
}

/// What takes the place of a `Gangs` region.
fn version(
    kernel: &mut Kernel,
    source: &Source,
    shapes: &mut Shapes,
    steps: &[(Reg, u32)],
    body: &Region,
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
    let mut walk = Walk {
        kernel,
        shapes,
        ops,
        facts: Facts::default(),
        needs: Vec::new(),
        known: HashMap::new(),
        variables: HashMap::new(),
        same: HashMap::new(),
        stored: HashMap::new(),
        names: HashMap::new(),
        steps,
        gained: false,
        gained_more: false,
    };
    let inner = walk.region(body, None);
    let Walk { mut facts, needs, gained, gained_more, .. } = walk;
    facts.less = needs;
    facts.tidy();
    if !gained_more && !(gained && facts.less.is_empty()) || facts.less.len() > MOST_FACTS {
        return None;
    }
    shape::refresh(kernel, source, shapes, &inner);
    if facts.less.is_empty() {
        return Some(Node::Gangs(inner));
    }
    let mut wrap = |body: Region| {
        let id = kernel.regions;
        kernel.regions += 1;
        Region { id, nodes: vec![Node::Gangs(body)] }
    };
    let (inner, edge) = (wrap(inner), wrap(body.clone()));
    Some(Node::Versions(Box::new(Versions { facts, inner, edge })))
}

/// Between which whole numbers a value is, wrapping aside: the register holds it modulo 2^32.
#[derive(Debug, Clone)]
struct Interval {
    low: Number,
    high: Number,
    /// What has to hold for this to be so.
    needs: Vec<Less>,
}

struct Walk<'k> {
    kernel: &'k mut Kernel,
    shapes: &'k mut Shapes,
    /// What sets each register of the region.
    ops: HashMap<Reg, Op>,
    facts: Facts,
    /// What has been assumed.
    needs: Vec<Less>,
    known: HashMap<Reg, Option<Interval>>,
    /// What variables hold now.
    variables: HashMap<Reg, Interval>,
    /// Registers that were read from a variable, and what it had been set to.
    same: HashMap<Reg, Reg>,
    stored: HashMap<Reg, Reg>,
    /// The new register of each old one.
    names: HashMap<Reg, Reg>,
    /// Variables of the workgroup that grow with each turn of the loop around the region.
    steps: &'k [(Reg, u32)],
    /// Whether something became superfluous; and whether it was in storage, or a guard.
    gained: bool,
    gained_more: bool,
}

impl Walk<'_> {
    // Registers and regions.

    fn fresh(&mut self, like: Reg) -> Reg {
        let shape = self.shapes.regs[like as usize];
        self.shapes.regs.push(shape);
        self.kernel.classes.push(RegClass::Temporary);
        (self.kernel.classes.len() - 1) as Reg
    }

    fn name(&self, reg: Reg) -> Reg {
        self.names.get(&reg).copied().unwrap_or(reg)
    }

    /// Forgets the variables that a region sets.
    fn forget(&mut self, region: &Region) {
        region.for_each(&mut |node| {
            if let Node::Op(op) = node
                && let Some(Use::Set(var) | Use::Change(var)) = access(self.kernel, op)
            {
                self.variables.remove(&var);
                self.stored.remove(&var);
            }
        });
    }

    /// A region's copy. With a counter it is a loop's body: behind its first decision the counter
    /// is below the bound.
    fn region(&mut self, region: &Region, counter: Option<(Counter, Option<Interval>)>) -> Region {
        let id = self.kernel.regions;
        self.kernel.regions += 1;
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
                    let counter = counted::counter(self.kernel, l)
                        .map(|counter| (counter, self.variables.get(&counter.variable).cloned()));
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

    /// In a loop's body from now on.
    fn counts(&mut self, counter: &Counter, first: Interval) {
        let interval = (|| {
            let bound = self.interval(counter.bound)?;
            let mut needs = first.needs.clone();
            needs.extend(bound.needs.iter().copied());
            let below = self.facts.constant(-1)?;
            if !counter.signed && !self.facts.less(below, first.low, &mut needs) {
                return None;
            }
            let high = self.facts.number(Wide::Add(bound.high, below))?;
            Some(Interval { low: first.low, high, needs })
        })();
        if let Some(interval) = interval {
            self.variables.insert(counter.variable, interval);
        }
    }

    fn branch(&mut self, condition: Reg, accept: &Region, reject: &Region, out: &mut Vec<Node>) {
        let leaves = |region: &Region| {
            let mut found = false;
            region.for_each(&mut |node| {
                found |= matches!(node, Node::Break(_) | Node::Continue(_) | Node::Return);
            });
            found
        };
        let (taken, truth) = match (accept.nodes.is_empty(), reject.nodes.is_empty()) {
            (false, true) => (Some(accept), true),
            (true, false) => (Some(reject), false),
            _ => (None, true),
        };
        let varies = self.shapes.regs[condition as usize].class > Class::Workgroup;
        if let Some(taken) = taken
            && varies
            && !leaves(taken)
            && let Some(needs) = self.assume(condition, truth)
        {
            self.require(needs);
            self.gained_more = true;
            self.nodes(taken, None, out);
            return;
        }
        let condition = self.name(condition);
        let state = (self.variables.clone(), self.stored.clone());
        let new_accept = self.region(accept, None);
        (self.variables, self.stored) = state.clone();
        let new_reject = self.region(reject, None);
        (self.variables, self.stored) = state;
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
        if let Some(Use::Set(var) | Use::Change(var)) = access(self.kernel, op) {
            self.variables.remove(&var);
            self.stored.remove(&var);
        }
        let mut new = op.clone();
        new.for_each_source(&mut |reg| *reg = self.name(*reg));
        match *op {
            Op::Unary { f: Unary::Copy, dst, a } if self.kernel.is_variable(dst) => {
                if self.kernel.array_of(dst).is_none() {
                    if let Some(interval) = self.interval(a) {
                        self.variables.insert(dst, interval);
                    }
                    self.stored.insert(dst, self.origin(a));
                }
                out.push(Node::Op(new));
                return;
            }
            Op::Unary { f: Unary::Copy, dst, a } if self.kernel.is_variable(a) => {
                if let Some(&value) = self.stored.get(&a) {
                    self.same.insert(dst, value);
                }
                let interval = self.variable(a);
                self.known.insert(dst, interval);
            }
            Op::Binary { f, dst, a, b } => {
                if let Some((kept, needs)) = self.nearest(f, a, b) {
                    self.require(needs);
                    self.gained_more = true;
                    let interval = self.interval(kept);
                    self.known.insert(dst, interval);
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
            if !self.kernel.is_variable(reg) {
                let fresh = self.fresh(reg);
                self.names.insert(reg, fresh);
            }
        }
        new.for_each_result(&mut |reg| *reg = self.names.get(reg).copied().unwrap_or(*reg));
        if let Op::Index { dst, index, bound, .. } = *op
            && let Some(needs) = self.below(index, i64::from(bound))
        {
            self.require(needs);
            self.gained = true;
            self.kernel.inside.insert(self.names[&dst]);
        }
        out.push(Node::Op(new));
    }

    /// A name of the outer index that is known to be inside.
    fn inside(&mut self, address: &Address, out: &mut Vec<Node>) -> Option<Reg> {
        let Memory::Storage(binding) = address.memory else { return None };
        if address.outer == NONE {
            return None;
        }
        let index = self.interval(address.outer)?;
        let mut needs = self.exact(&index, address.signed)?;
        let length = self.facts.number(Wide::Length(binding))?;
        if !self.facts.less(index.high, length, &mut needs) {
            return None;
        }
        self.require(needs);
        self.gained_more = true;
        // Elsewhere the same index may be outside, or that of another buffer.
        let dst = self.fresh(address.outer);
        out.push(Node::Op(Op::Unary { f: Unary::Copy, dst, a: self.name(address.outer) }));
        self.kernel.inside.insert(dst);
        Some(dst)
    }

    /// Asks for what a load will want in the next turn of the loop around the region: by then the
    /// rest of this turn has gone by.
    fn prefetch(&mut self, address: &Address, out: &mut Vec<Node>) {
        let class = self.shapes.regs[address.outer as usize].class;
        if self.steps.is_empty() || !matches!(class, Class::Strided(1)) || address.inner != NONE {
            return;
        }
        let outer = self.next_turn(address.outer, DEEPEST, out);
        if let Some(outer) = outer.filter(|&outer| outer != self.name(address.outer)) {
            out.push(Node::Prefetch(Box::new(Address { outer, ..address.clone() })));
        }
    }

    /// What a register will hold in the next turn; the register itself where that is the same.
    fn next_turn(&mut self, reg: Reg, depth: u32, out: &mut Vec<Node>) -> Option<Reg> {
        let depth = depth.checked_sub(1)?;
        let Some(mut op) = self.ops.get(&reg).cloned() else { return Some(self.name(reg)) };
        let mut now = Vec::new();
        match op {
            Op::Unary { f: Unary::Copy, a, .. } if self.kernel.is_variable(a) => {
                let Some(&(_, step)) = self.steps.iter().find(|(var, _)| *var == a) else {
                    return Some(self.name(reg));
                };
                let by = self.fresh(reg);
                self.kernel.classes[by as usize] = RegClass::Constant(step);
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
            then.push(self.next_turn(operand, depth, out)?);
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

    /// For a minimum or maximum of values of which one goes on from lane to lane: that one, and
    /// what has to hold for it to be the result.
    fn nearest(&mut self, f: Binary, a: Reg, b: Reg) -> Option<(Reg, Vec<Less>)> {
        let signed = match f {
            Binary::MinU | Binary::MaxU => false,
            Binary::MinI | Binary::MaxI => true,
            _ => return None,
        };
        let near = |reg: Reg| {
            matches!(self.shapes.regs[reg as usize].class, Class::Strided(1) | Class::Likely)
        };
        let (kept, other) = match (near(a), near(b)) {
            (true, false) => (a, b),
            (false, true) => (b, a),
            _ => return None,
        };
        let (x, y) = (self.interval(kept)?, self.interval(other)?);
        let mut needs = self.exact(&x, signed)?;
        needs.extend(self.exact(&y, signed)?);
        let one = self.facts.constant(1)?;
        let holds = if matches!(f, Binary::MinU | Binary::MinI) {
            let above = self.facts.number(Wide::Add(y.low, one))?;
            self.facts.less(x.high, above, &mut needs)
        } else {
            let above = self.facts.number(Wide::Add(x.low, one))?;
            self.facts.less(y.high, above, &mut needs)
        };
        holds.then_some((kept, needs))
    }

    // Intervals.

    /// What a register was copied from, through variables.
    fn origin(&self, mut reg: Reg) -> Reg {
        loop {
            if let Some(&from) = self.same.get(&reg) {
                reg = from;
                continue;
            }
            match self.ops.get(&reg) {
                Some(&Op::Unary { f: Unary::Copy, a, .. }) if !self.kernel.is_variable(a) => {
                    reg = a;
                }
                _ => return reg,
            }
        }
    }

    /// What has to hold for a condition to be true, or false.
    fn assume(&mut self, condition: Reg, truth: bool) -> Option<Vec<Less>> {
        let condition = self.origin(condition);
        let one = self.facts.constant(1)?;
        match (self.ops.get(&condition)?.clone(), truth) {
            (Op::Unary { f: Unary::Not, a, .. }, _) => self.assume(a, !truth),
            (Op::Binary { f: Binary::And, a, b, .. }, true)
            | (Op::Binary { f: Binary::Or, a, b, .. }, false) => {
                let mut needs = self.assume(a, truth)?;
                needs.extend(self.assume(b, truth)?);
                Some(needs)
            }
            (Op::Binary { f, a, b, .. }, _) => {
                let (signed, less) = match f {
                    Binary::LtU => (false, true),
                    Binary::LtI => (true, true),
                    Binary::LeU => (false, false),
                    Binary::LeI => (true, false),
                    _ => return None,
                };
                let (x, y) = (self.interval(a)?, self.interval(b)?);
                let mut needs = self.exact(&x, signed)?;
                needs.extend(self.exact(&y, signed)?);
                // `a < b` and `a <= b`, or else `b <= a` and `b < a`.
                let (low, high, less) =
                    if truth { (x.high, y.low, less) } else { (y.high, x.low, !less) };
                let high = if less { high } else { self.facts.number(Wide::Add(high, one))? };
                self.facts.less(low, high, &mut needs).then_some(needs)
            }
            _ => None,
        }
    }

    /// What has to hold for a value to be what its register holds, read as a u32 or an i32 that is
    /// not negative.
    fn exact(&mut self, value: &Interval, signed: bool) -> Option<Vec<Less>> {
        let mut needs = value.needs.clone();
        let below = self.facts.constant(-1)?;
        let end = self.facts.constant(if signed { 1 << 31 } else { WORD + 1 })?;
        let holds = self.facts.less(below, value.low, &mut needs)
            && self.facts.less(value.high, end, &mut needs);
        holds.then_some(needs)
    }

    /// What has to hold for an index to be below a bound.
    fn below(&mut self, index: Reg, bound: i64) -> Option<Vec<Less>> {
        let index = self.interval(index)?;
        let mut needs = self.exact(&index, false)?;
        let bound = self.facts.constant(bound)?;
        self.facts.less(index.high, bound, &mut needs).then_some(needs)
    }

    /// The interval of a register, as of when it was set.
    fn interval(&mut self, reg: Reg) -> Option<Interval> {
        if let Some(known) = self.known.get(&reg) {
            return known.clone();
        }
        let interval = self.find(reg);
        self.known.insert(reg, interval.clone());
        interval
    }

    fn between(&mut self, low: i64, high: i64) -> Option<Interval> {
        let (low, high) = (self.facts.constant(low)?, self.facts.constant(high)?);
        Some(Interval { low, high, needs: Vec::new() })
    }

    fn variable(&mut self, var: Reg) -> Option<Interval> {
        if let Some(known) = self.variables.get(&var) {
            return Some(known.clone());
        }
        if self.shapes.regs[var as usize].class != Class::Workgroup {
            return None;
        }
        let number = self.facts.number(Wide::Register(var))?;
        Some(Interval { low: number, high: number, needs: Vec::new() })
    }

    fn find(&mut self, reg: Reg) -> Option<Interval> {
        if let Some(bits) = self.kernel.known(reg) {
            let value = i64::from(bits as i32);
            return self.between(value, value);
        }
        if let Some(&builtin) = self.kernel.builtins.get(&reg) {
            return self.builtin(builtin);
        }
        let Some(op) = self.ops.get(&reg).cloned() else {
            if self.shapes.regs[reg as usize].class > Class::Workgroup {
                return None;
            }
            let number = self.facts.number(Wide::Register(reg))?;
            return Some(Interval { low: number, high: number, needs: Vec::new() });
        };
        match op {
            Op::Unary { f: Unary::Copy, a, .. } if !self.kernel.is_variable(a) => self.interval(a),
            Op::Binary { f, a, b, .. } => self.binary(f, a, b),
            Op::ArrayLength { binding, .. } => {
                let number = self.facts.number(Wide::Length(binding))?;
                Some(Interval { low: number, high: number, needs: Vec::new() })
            }
            _ => None,
        }
    }

    fn builtin(&mut self, builtin: Builtin) -> Option<Interval> {
        let size = self.kernel.workgroup_size;
        match builtin {
            Builtin::LocalIndex => {
                self.between(0, size.iter().map(|&n| i64::from(n)).product::<i64>() - 1)
            }
            Builtin::LocalId(axis) => self.between(0, i64::from(size[usize::from(axis)]) - 1),
            Builtin::WorkgroupId(axis) => {
                let number = self.facts.number(Wide::Workgroup(axis))?;
                Some(Interval { low: number, high: number, needs: Vec::new() })
            }
            Builtin::GlobalId(axis) => {
                let extent = i64::from(size[usize::from(axis)]);
                let group = self.facts.number(Wide::Workgroup(axis))?;
                let by = self.facts.constant(extent)?;
                let low = self.facts.number(Wide::Mul(group, by))?;
                let last = self.facts.constant(extent - 1)?;
                let high = self.facts.number(Wide::Add(low, last))?;
                Some(Interval { low, high, needs: Vec::new() })
            }
            _ => None,
        }
    }

    /// A value that is held to less than 2^31, so that what follows can't grow too large.
    fn held(&mut self, value: &Interval) -> Option<Interval> {
        let needs = self.exact(value, true)?;
        let low = self.facts.number(Wide::Held(value.low))?;
        let high = self.facts.number(Wide::Held(value.high))?;
        Some(Interval { low, high, needs })
    }

    /// Both ends by a function that grows with its arguments.
    fn grows(
        &mut self,
        x: &Interval,
        y: &Interval,
        f: fn(Number, Number) -> Wide,
    ) -> Option<Interval> {
        let mut needs = x.needs.clone();
        needs.extend(y.needs.iter().copied());
        let mut ends = |x: &Interval, y: &Interval| {
            Some((self.facts.number(f(x.low, y.low))?, self.facts.number(f(x.high, y.high))?))
        };
        if let Some((low, high)) = ends(x, y) {
            return Some(Interval { low, high, needs });
        }
        let (x, y) = (self.held(x)?, self.held(y)?);
        let low = self.facts.number(f(x.low, y.low))?;
        let high = self.facts.number(f(x.high, y.high))?;
        needs = x.needs;
        needs.extend(y.needs);
        Some(Interval { low, high, needs })
    }

    fn binary(&mut self, f: Binary, a: Reg, b: Reg) -> Option<Interval> {
        let constant = self.kernel.known(b);
        match (f, constant) {
            // Whatever the other is.
            (Binary::And, Some(mask)) if mask <= i32::MAX as u32 => {
                return self.between(0, i64::from(mask));
            }
            (Binary::RemU, Some(by)) if by > 0 => return self.between(0, i64::from(by) - 1),
            _ => {}
        }
        let (x, y) = (self.interval(a)?, self.interval(b)?);
        match (f, constant) {
            (Binary::AddI, _) => self.grows(&x, &y, Wide::Add),
            (Binary::SubI, _) => {
                let mut needs = x.needs.clone();
                needs.extend(y.needs.iter().copied());
                let low = self.facts.number(Wide::Sub(x.low, y.high))?;
                let high = self.facts.number(Wide::Sub(x.high, y.low))?;
                Some(Interval { low, high, needs })
            }
            (Binary::MulI, _) => {
                // Grows where nothing is negative.
                let below = self.facts.constant(-1)?;
                let (mut x, mut y) = (x, y);
                for value in [&mut x, &mut y] {
                    if !self.facts.less(below, value.low, &mut value.needs) {
                        return None;
                    }
                }
                self.grows(&x, &y, Wide::Mul)
            }
            (Binary::Shl, Some(by)) => {
                let factor = self.facts.constant(1 << (by & 31))?;
                let y = Interval { low: factor, high: factor, needs: Vec::new() };
                let below = self.facts.constant(-1)?;
                let mut x = x;
                if !self.facts.less(below, x.low, &mut x.needs) {
                    return None;
                }
                self.grows(&x, &y, Wide::Mul)
            }
            (Binary::ShrU, Some(by)) => {
                let needs = self.exact(&x, false)?;
                let low = self.facts.number(Wide::Shr(x.low, by & 31))?;
                let high = self.facts.number(Wide::Shr(x.high, by & 31))?;
                Some(Interval { low, high, needs })
            }
            (Binary::DivU, Some(by)) if by > 0 => {
                let needs = self.exact(&x, false)?;
                let low = self.facts.number(Wide::Div(x.low, by))?;
                let high = self.facts.number(Wide::Div(x.high, by))?;
                Some(Interval { low, high, needs })
            }
            (Binary::MinU | Binary::MinI | Binary::MaxU | Binary::MaxI, _) => {
                let signed = matches!(f, Binary::MinI | Binary::MaxI);
                let mut needs = self.exact(&x, signed)?;
                needs.extend(self.exact(&y, signed)?);
                let (x, y) =
                    (Interval { needs: needs.clone(), ..x }, Interval { needs: Vec::new(), ..y });
                let f =
                    if matches!(f, Binary::MinU | Binary::MinI) { Wide::Min } else { Wide::Max };
                self.grows(&x, &y, f)
            }
            _ => None,
        }
    }
}
