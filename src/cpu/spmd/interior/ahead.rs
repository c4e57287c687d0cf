//! Moves prefetches to where there is time for them.
//!
//! A loop of the workgroup that fills workgroup memory and then computes with it would prefetch the next
//! iteration's lines all at once, while it waits for this iteration's. This pass moves the prefetches of one
//! `Gangs` region to the start of the next one in the loop, with the operations that compute their
//! addresses, so that each gang prefetches its share before it computes. What always holds: the slice that
//! moves touches no memory and sets no variable but its own.

use std::collections::{HashMap, HashSet};

use crate::cpu::interpreter::bytecode::{Address, Op};
use crate::cpu::interpreter::class::Class as RegClass;
use crate::cpu::interpreter::functions::{Reg, Unary};
use crate::cpu::spmd::ir::{Kernel, Node, Region};
use crate::cpu::spmd::shape::{Class, Shapes};

/// Moves the prefetches in a loop's body.
pub(super) fn spread(kernel: &mut Kernel, shapes: &mut Shapes, body: &mut Region) {
    for at in 1..body.nodes.len() {
        let (before, after) = body.nodes.split_at_mut(at);
        let (Some(from), Some(to)) = (before.last_mut(), after.first_mut()) else { return };
        let from = match from {
            Node::Versions(versions) => match &mut versions.inner.nodes[..] {
                [Node::Gangs { body, .. }] => body,
                _ => continue,
            },
            Node::Gangs { body, .. } => body,
            _ => continue,
        };
        let mut prefetches = false;
        from.for_each(&mut |node| prefetches |= matches!(node, Node::Prefetch(_)));
        if !prefetches {
            continue;
        }
        let targets: Vec<&mut Region> = match to {
            Node::Gangs { body, most: None } => vec![body],
            Node::Versions(versions) => [&mut versions.inner, &mut versions.edge]
                .into_iter()
                .filter_map(|region| match &mut region.nodes[..] {
                    [Node::Gangs { body, most: None }] => Some(body),
                    _ => None,
                })
                .collect(),
            _ => continue,
        };
        let mut moved = true;
        for target in targets {
            let mut slice = Slice {
                kernel,
                shapes,
                names: HashMap::new(),
                variables: HashMap::new(),
                unknown: HashSet::new(),
            };
            match slice.nodes(from) {
                Some(mut nodes) => {
                    nodes.append(&mut target.nodes);
                    target.nodes = nodes;
                }
                None => moved = false,
            }
        }
        if moved {
            drop_prefetches(from);
        }
    }
}

fn drop_prefetches(region: &mut Region) {
    region.nodes.retain(|node| !matches!(node, Node::Prefetch(_)));
    for node in &mut region.nodes {
        for inner in node.regions_mut() {
            drop_prefetches(inner);
        }
    }
}

struct Slice<'k> {
    kernel: &'k mut Kernel,
    shapes: &'k mut Shapes,
    names: HashMap<Reg, Reg>,
    /// The slice's variable for each variable that the region sets.
    variables: HashMap<Reg, Reg>,
    /// Registers and variables whose values come from memory.
    unknown: HashSet<Reg>,
}

impl Slice<'_> {
    fn name(&self, reg: Reg) -> Reg {
        self.names.get(&reg).copied().unwrap_or(reg)
    }

    fn fresh(&mut self, like: Reg, class: RegClass) -> Reg {
        let shape = self.shapes.regs[like as usize];
        self.shapes.regs.push(shape);
        self.kernel.classes.push(class);
        (self.kernel.classes.len() - 1) as Reg
    }

    /// The slice's own variable in place of another.
    fn variable(&mut self, var: Reg) -> Reg {
        if let Some(&known) = self.variables.get(&var) {
            return known;
        }
        let new = self.kernel.classes.len() as Reg;
        let new = self.fresh(var, RegClass::Variable(new));
        if let Some(&kind) = self.kernel.planes.get(&var) {
            self.kernel.planes.insert(new, kind);
        }
        self.variables.insert(var, new);
        new
    }

    fn region(&mut self, region: &Region) -> Option<Region> {
        let id = self.kernel.regions;
        self.kernel.regions += 1;
        Some(Region { id, nodes: self.nodes(region)? })
    }

    /// The part of a region that computes addresses; `None` if control flow depends on memory.
    fn nodes(&mut self, region: &Region) -> Option<Vec<Node>> {
        let mut out = Vec::new();
        for node in &region.nodes {
            match node {
                Node::Op(op) => out.extend(self.op(op)?.map(Node::Op)),
                Node::Prefetch(address) if !self.unknown.contains(&address.outer) => {
                    let outer = self.name(address.outer);
                    out.push(Node::Prefetch(Box::new(Address { outer, ..(**address).clone() })));
                }
                Node::Prefetch(_) => {}
                Node::If { condition, accept, reject } => {
                    if self.unknown.contains(condition) {
                        return None;
                    }
                    let condition = self.name(*condition);
                    let (accept, reject) = (self.region(accept)?, self.region(reject)?);
                    out.push(Node::If { condition, accept, reject });
                }
                Node::Loop(l) if l.finite && l.break_if.is_none() => {
                    let mut new = (**l).clone();
                    new.body = self.region(&l.body)?;
                    new.continuing = self.region(&l.continuing)?;
                    out.push(Node::Loop(Box::new(new)));
                }
                Node::Break(_) | Node::Continue(_) => out.push(node.clone()),
                _ => return None,
            }
        }
        Some(out)
    }

    /// An operation of the slice; `Some(None)` if it does not belong to the slice, `None` if it can't be
    /// left out.
    fn op(&mut self, op: &Op) -> Option<Option<Op>> {
        let mut new = op.clone();
        let mut known = op.is_pure();
        let mut read = None;
        match *op {
            Op::Unary { f: Unary::Copy, dst, .. } if self.kernel.array_of(dst).is_some() => {
                return None;
            }
            // It gets a variable of its own below.
            Op::Unary { f: Unary::Copy, dst, .. } if self.kernel.is_variable(dst) => {}
            Op::Unary { f: Unary::Copy, a, .. } if self.kernel.is_variable(a) => {
                // The workgroup's variables stay the same throughout. Others are known only if the slice
                // has set its own.
                let workgroup = self.shapes.regs[a as usize].class <= Class::Workgroup;
                known &= workgroup || self.variables.contains_key(&a);
                if !workgroup {
                    read = self.variables.get(&a).copied();
                }
            }
            _ => {}
        }
        new.for_each_source(&mut |reg| {
            known &= !self.unknown.contains(reg);
            *reg = self.name(*reg);
        });
        if let (Some(var), Op::Unary { a, .. }) = (read, &mut new) {
            *a = var;
        }
        let mut results = Vec::new();
        new.for_each_result(&mut |reg| results.push(*reg));
        if !known {
            self.unknown.extend(results);
            return Some(None);
        }
        for reg in results {
            if self.kernel.is_variable(reg) {
                let var = self.variable(reg);
                self.names.insert(reg, var);
            } else {
                let name = self.fresh(reg, RegClass::Temporary);
                self.names.insert(reg, name);
            }
        }
        new.for_each_result(&mut |reg| *reg = self.names[reg]);
        Some(Some(new))
    }
}
