//! Fission: removes barriers, and turns the nodes between them into loops over the gangs of a workgroup.
//!
//! Afterwards the kernel's outer level is executed once for a workgroup. It has scalar operations on values
//! that are uniform in the workgroup, the `If`s and loops that had barriers in them, and `Gangs` regions. A
//! variable of the workgroup is written only on that level. A value that one `Gangs` region computes and
//! another needs is computed again if that is cheap, else a new variable carries it. Barriers stand in
//! control flow that is uniform in the workgroup, which `straighten` ensures.

use std::collections::{HashMap, HashSet};

use super::ir::{Kernel, Node, Region};
use super::shape::{Class, Shape, Shapes, wants_workgroup};
use super::types::{Ty, Types};
use crate::cpu::interpreter::bytecode::{NONE, Op};
use crate::cpu::interpreter::class::Class as RegClass;
use crate::cpu::interpreter::functions::{Reg, Unary};
use crate::cpu::interpreter::shape::Kind;
use crate::error::{Error, Result};

/// Splits a kernel at its barriers. Every kernel has `Gangs` afterwards.
pub(super) fn split(kernel: &mut Kernel, shapes: &mut Shapes) -> Result<()> {
    let body = std::mem::take(&mut kernel.body);
    if !body.has_barrier() {
        let id = kernel.regions;
        kernel.regions += 1;
        kernel.body = Region { id, nodes: vec![Node::Gangs { body, most: None }] };
        return Ok(());
    }
    let mut fission = Fission { kernel, shapes };
    let body = fission.region(body)?;
    kernel.body = body;
    carry(kernel, shapes);
    Ok(())
}

fn broken(what: &str) -> Error {
    Error::Internal { place: "cpu::spmd::regions".to_owned(), cause: what.to_owned() }
}

struct Fission<'k> {
    kernel: &'k mut Kernel,
    shapes: &'k Shapes,
}

/// A run of nodes without a barrier, while it is collected.
#[derive(Default)]
struct Run {
    gangs: Vec<Node>,
    /// Variables of the workgroup that `gangs` reads.
    reads: HashSet<Reg>,
}

impl Fission<'_> {
    fn class(&self, reg: Reg) -> Class {
        self.shapes.regs[reg as usize].class
    }

    /// Whether an operation is executed once for the workgroup.
    fn once(&self, op: &Op) -> bool {
        match *op {
            Op::Unary { f: Unary::Copy, dst, .. } if self.kernel.is_variable(dst) => {
                self.class(dst) <= Class::Workgroup
            }
            Op::Unary { dst, .. }
            | Op::Binary { dst, .. }
            | Op::Ternary { dst, .. }
            | Op::Index { dst, .. }
            | Op::Pick { dst, .. }
            | Op::ArrayLength { dst, .. } => self.class(dst) <= Class::Workgroup,
            Op::Load(ref access) => {
                access.parts.iter().all(|part| self.class(part.reg) <= Class::Workgroup)
            }
            _ => false,
        }
    }

    fn close(&mut self, run: &mut Run, out: &mut Vec<Node>) {
        let nodes = std::mem::take(&mut run.gangs);
        run.reads.clear();
        if !nodes.is_empty() {
            let id = self.kernel.regions;
            self.kernel.regions += 1;
            out.push(Node::Gangs { body: Region { id, nodes }, most: None });
        }
    }

    /// Splits a region of the workgroup's level.
    fn region(&mut self, region: Region) -> Result<Region> {
        let mut out = Vec::new();
        let mut run = Run::default();
        for node in region.nodes {
            match node {
                Node::Op(op) if self.once(&op) => {
                    if let Op::Unary { f: Unary::Copy, dst, .. } = op
                        && run.reads.contains(&dst)
                    {
                        self.close(&mut run, &mut out);
                    }
                    out.push(Node::Op(op));
                }
                Node::Barrier => self.close(&mut run, &mut out),
                Node::UniformLoad(op) => {
                    self.close(&mut run, &mut out);
                    if let Op::Load(access) = &op {
                        for reg in [access.address.outer, access.address.inner] {
                            if reg != NONE && self.class(reg) > Class::Workgroup {
                                return Err(broken(
                                    "the address of a uniform load differs within a workgroup",
                                ));
                            }
                        }
                    }
                    out.push(Node::UniformLoad(op));
                }
                Node::Break(_) | Node::Continue(_) | Node::Return => {
                    self.close(&mut run, &mut out);
                    out.push(node);
                }
                node if wants_workgroup(&node) => {
                    self.close(&mut run, &mut out);
                    out.push(self.workgroup_node(node)?);
                }
                node => {
                    self.reads_of(&node, &mut run.reads);
                    run.gangs.push(node);
                }
            }
        }
        self.close(&mut run, &mut out);
        Ok(Region { id: region.id, nodes: out })
    }

    fn workgroup_node(&mut self, node: Node) -> Result<Node> {
        let uniform = |this: &Self, reg: Reg| {
            if this.class(reg) <= Class::Workgroup {
                Ok(())
            } else {
                Err(broken("the condition of a branch around a barrier differs within a workgroup"))
            }
        };
        match node {
            Node::If { condition, accept, reject } => {
                uniform(self, condition)?;
                let (accept, reject) = (self.region(accept)?, self.region(reject)?);
                Ok(Node::If { condition, accept, reject })
            }
            Node::Loop(mut l) => {
                if self.shapes.masked[l.target as usize] {
                    return Err(broken("a loop around a barrier diverges within a workgroup"));
                }
                if let Some(condition) = l.break_if {
                    uniform(self, condition)?;
                }
                l.body = self.region(std::mem::take(&mut l.body))?;
                l.continuing = self.region(std::mem::take(&mut l.continuing))?;
                Ok(Node::Loop(l))
            }
            Node::Once { target, body } => {
                if self.shapes.masked[target as usize] {
                    return Err(broken("a switch around a barrier diverges within a workgroup"));
                }
                Ok(Node::Once { target, body: self.region(body)? })
            }
            _ => Err(broken("an unknown node around a barrier")),
        }
    }

    fn reads_of(&self, node: &Node, reads: &mut HashSet<Reg>) {
        let mut visit = |node: &Node| {
            if let Node::Op(Op::Unary { f: Unary::Copy, a, .. }) = node
                && self.kernel.is_variable(*a)
            {
                reads.insert(*a);
            }
        };
        visit(node);
        for region in node.regions() {
            region.for_each(&mut visit);
        }
    }
}

/// The most operations that are computed again for one value.
const AGAIN: u32 = 12;

struct Carry<'k> {
    kernel: &'k mut Kernel,
    shapes: &'k mut Shapes,
    types: Types,
    /// For each register, its `Gangs` region (nothing on the workgroup's level) and its operation.
    defined: HashMap<Reg, (Option<u32>, Op)>,
    /// The variable of each register that needs one.
    carried: HashMap<Reg, Reg>,
}

/// Gives each `Gangs` region the values that it needs of others.
fn carry(kernel: &mut Kernel, shapes: &mut Shapes) {
    let types = Types::of(kernel);
    let mut defined = HashMap::new();
    let body = std::mem::take(&mut kernel.body);
    definitions(&body, None, kernel, &mut defined);
    let mut carry = Carry { kernel, shapes, types, defined, carried: HashMap::new() };
    let mut body = body;
    carry.uses(&mut body);
    let carried = std::mem::take(&mut carry.carried);
    insert_stores(&mut body, &carried);
    kernel.body = body;
}

fn definitions(
    region: &Region,
    gangs: Option<u32>,
    kernel: &Kernel,
    into: &mut HashMap<Reg, (Option<u32>, Op)>,
) {
    for node in &region.nodes {
        if let Node::Op(op) | Node::UniformLoad(op) = node {
            op.clone().for_each_result(&mut |reg| {
                if !kernel.is_variable(*reg) {
                    into.insert(*reg, (gangs, op.clone()));
                }
            });
        }
        let inner = if let Node::Gangs { body, .. } = node { Some(body.id) } else { gangs };
        for region in node.regions() {
            definitions(region, inner, kernel, into);
        }
    }
}

impl Carry<'_> {
    /// Fetches values for every `Gangs` region.
    fn uses(&mut self, region: &mut Region) {
        for node in &mut region.nodes {
            if let Node::Gangs { body, .. } = node {
                self.gangs(body);
            } else {
                for inner in node.regions_mut() {
                    self.uses(inner);
                }
            }
        }
    }

    fn gangs(&mut self, body: &mut Region) {
        let mut renamed: HashMap<Reg, Reg> = HashMap::new();
        let mut prologue = Vec::new();
        let mut wanted = Vec::new();
        sources(body, &mut |reg| wanted.push(*reg));
        for reg in wanted {
            self.fetch(reg, body.id, &mut renamed, &mut prologue);
        }
        if renamed.is_empty() {
            return;
        }
        sources(body, &mut |reg| {
            if let Some(new) = renamed.get(reg) {
                *reg = *new;
            }
        });
        prologue.append(&mut body.nodes);
        body.nodes = prologue;
    }

    /// Makes a register available in a `Gangs` region; returns its name there.
    fn fetch(
        &mut self,
        reg: Reg,
        region: u32,
        renamed: &mut HashMap<Reg, Reg>,
        prologue: &mut Vec<Node>,
    ) -> Reg {
        if let Some(&new) = renamed.get(&reg) {
            return new;
        }
        let Some((Some(from), _)) = self.defined.get(&reg) else { return reg };
        if *from == region {
            return reg;
        }
        // Users of an `Index` look through it, so it can't go through a variable.
        let index = matches!(self.defined[&reg].1, Op::Index { .. });
        let new = if index || self.cheap(reg, &mut AGAIN.clone()) {
            let mut op = self.defined[&reg].1.clone();
            let mut operands = Vec::new();
            op.for_each_source(&mut |source| operands.push(*source));
            let mut fetched = operands
                .into_iter()
                .map(|source| self.fetch(source, region, renamed, prologue))
                .collect::<Vec<_>>()
                .into_iter();
            op.for_each_source(&mut |source| *source = fetched.next().unwrap_or(*source));
            let new = self.fresh(reg);
            op.for_each_result(&mut |result| *result = new);
            prologue.push(Node::Op(op));
            new
        } else {
            let var = self.variable(reg);
            let new = self.fresh(reg);
            prologue.push(Node::Op(Op::Unary { f: Unary::Copy, dst: new, a: var }));
            new
        };
        renamed.insert(reg, new);
        new
    }

    /// Whether a register is the result of a few pure operations on values that every region has.
    fn cheap(&self, reg: Reg, left: &mut u32) -> bool {
        let Some((Some(_), op)) = self.defined.get(&reg) else { return true };
        if *left == 0 || !op.is_pure() {
            return false;
        }
        if matches!(op, Op::Unary { f: Unary::Copy, a, .. } if self.kernel.is_variable(*a)) {
            return false;
        }
        *left -= 1;
        let mut cheap = true;
        op.clone().for_each_source(&mut |source| {
            cheap = cheap && self.cheap(*source, left);
        });
        cheap
    }

    /// A new register with the shape of another.
    fn fresh(&mut self, like: Reg) -> Reg {
        let shape = self.shapes.regs[like as usize];
        self.shapes.regs.push(shape);
        self.kernel.classes.push(RegClass::Temporary);
        (self.kernel.classes.len() - 1) as Reg
    }

    /// The variable that carries a register from one region to others.
    fn variable(&mut self, reg: Reg) -> Reg {
        if let Some(&var) = self.carried.get(&reg) {
            return var;
        }
        let var = self.fresh(reg);
        self.kernel.classes[var as usize] = RegClass::Variable(var);
        let shape = &mut self.shapes.regs[var as usize];
        match shape.class {
            Class::Likely => *shape = Shape { class: Class::Varying, align: 1 },
            Class::Workgroup => shape.class = Class::Gang,
            _ => {}
        }
        let kind = match self.types.of_reg(reg) {
            Ty::Float => Kind::F32,
            Ty::Int => Kind::U32,
            Ty::Bool => Kind::Bool,
        };
        self.kernel.planes.insert(var, kind);
        self.carried.insert(reg, var);
        var
    }
}

/// Calls `visit` for every register that a region reads.
fn sources(region: &mut Region, visit: &mut dyn FnMut(&mut Reg)) {
    for node in &mut region.nodes {
        match node {
            Node::Op(op) => op.for_each_source(visit),
            Node::If { condition, .. } => visit(condition),
            Node::Loop(l) => {
                if let Some(condition) = &mut l.break_if {
                    visit(condition);
                }
            }
            _ => {}
        }
        for inner in node.regions_mut() {
            sources(inner, visit);
        }
    }
}

/// After the operation that sets a carried register, sets its variable.
fn insert_stores(region: &mut Region, carried: &HashMap<Reg, Reg>) {
    let nodes = std::mem::take(&mut region.nodes);
    for mut node in nodes {
        for inner in node.regions_mut() {
            insert_stores(inner, carried);
        }
        let mut stores = Vec::new();
        if let Node::Op(op) = &mut node {
            op.for_each_result(&mut |reg| {
                if let Some(&dst) = carried.get(reg) {
                    stores.push(Node::Op(Op::Unary { f: Unary::Copy, dst, a: *reg }));
                }
            });
        }
        region.nodes.push(node);
        region.nodes.extend(stores);
    }
}
