//! Repairs scopes: variables take the place of registers that are read out of scope.
//!
//! After a pass has taken structure apart, a later region may read a result of another region. The result is
//! then kept in a variable, which every reader outside copies. An `Index` is not kept but computed again,
//! since its users look through it.

use std::collections::{BTreeMap, HashMap};

use super::ir::{Kernel, Node, Region};
use super::types::{Ty, Types};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::class::Class as RegClass;
use crate::cpu::interpreter::functions::{Reg, Unary};
use crate::cpu::interpreter::shape::Kind;

struct Repair<'k> {
    kernel: &'k mut Kernel,
    types: Types,
    /// The regions around each register's definition, outermost first, and the operation.
    defined: HashMap<Reg, (Vec<u32>, Op)>,
    /// The variable that keeps a register, and the regions around all of its readers.
    kept: BTreeMap<Reg, (Reg, Vec<u32>)>,
}

/// Rewrites a kernel until all registers are in scope.
pub(super) fn repair(kernel: &mut Kernel) {
    let types = Types::of(kernel);
    let mut body = std::mem::take(&mut kernel.body);
    let mut defined = HashMap::new();
    definitions(kernel, &body, &mut Vec::new(), &mut defined);
    let mut repair = Repair { kernel, types, defined, kept: BTreeMap::new() };
    repair.region(&mut body, &mut Vec::new());
    let Repair { kept, defined, .. } = repair;
    // A variable starts right before the region with its definition, so that it is dead before.
    let mut starts: HashMap<(u32, u32), Vec<Reg>> = HashMap::new();
    for (reg, (variable, readers)) in &kept {
        let around = &defined[reg].0;
        let common = around.iter().zip(readers).take_while(|(a, b)| a == b).count();
        if let (Some(&region), Some(&inner)) =
            (around.get(common.wrapping_sub(1)), around.get(common))
        {
            starts.entry((region, inner)).or_default().push(*variable);
        }
    }
    let zero = match kernel.classes.iter().position(|c| *c == RegClass::Constant(0)) {
        Some(reg) => reg as Reg,
        None => {
            kernel.classes.push(RegClass::Constant(0));
            (kernel.classes.len() - 1) as Reg
        }
    };
    insert(&mut body, &kept, &starts, zero);
    kernel.body = body;
}

/// The regions inside of a node, each with the regions around it. A loop's `continuing` sees the results
/// of its body.
fn around<'n>(node: &'n Node, path: &[u32]) -> Vec<(&'n Region, Vec<u32>)> {
    match node {
        Node::Loop(l) => {
            let mut inner = path.to_vec();
            inner.push(l.body.id);
            vec![(&l.body, path.to_vec()), (&l.continuing, inner)]
        }
        _ => node.regions().into_iter().map(|region| (region, path.to_vec())).collect(),
    }
}

fn definitions(
    kernel: &Kernel,
    region: &Region,
    path: &mut Vec<u32>,
    into: &mut HashMap<Reg, (Vec<u32>, Op)>,
) {
    path.push(region.id);
    for node in &region.nodes {
        if let Node::Op(op) | Node::UniformLoad(op) = node {
            op.clone().for_each_result(&mut |reg| {
                if !kernel.is_variable(*reg) {
                    into.insert(*reg, (path.clone(), op.clone()));
                }
            });
        }
        for (inner, mut path) in around(node, path) {
            definitions(kernel, inner, &mut path, into);
        }
    }
    path.pop();
}

impl Repair<'_> {
    fn in_scope(&self, reg: Reg, path: &[u32]) -> bool {
        self.defined.get(&reg).is_none_or(|(around, _)| path.starts_with(around))
    }

    fn region(&mut self, region: &mut Region, path: &mut Vec<u32>) {
        path.push(region.id);
        let nodes = std::mem::take(&mut region.nodes);
        for mut node in nodes {
            match &mut node {
                Node::Op(op) | Node::UniformLoad(op) => {
                    op.for_each_source(&mut |reg| {
                        *reg = self.fetch(*reg, path, &mut region.nodes);
                    });
                }
                Node::If { condition, accept, reject } => {
                    *condition = self.fetch(*condition, path, &mut region.nodes);
                    self.region(accept, path);
                    self.region(reject, path);
                }
                Node::Loop(l) => {
                    self.region(&mut l.body, path);
                    path.push(l.body.id);
                    self.region(&mut l.continuing, path);
                    if let Some(condition) = &mut l.break_if {
                        path.push(l.continuing.id);
                        *condition = self.fetch(*condition, path, &mut l.continuing.nodes);
                        path.pop();
                    }
                    path.pop();
                }
                Node::Once { body, .. } | Node::Gangs { body, .. } => self.region(body, path),
                Node::Break(_)
                | Node::Continue(_)
                | Node::Return
                | Node::Barrier
                | Node::Prefetch(_)
                // A later pass makes these.
                | Node::Versions(_) => {}
            }
            region.nodes.push(node);
        }
        path.pop();
    }

    /// A register in scope with the value of `reg`.
    fn fetch(&mut self, reg: Reg, path: &[u32], out: &mut Vec<Node>) -> Reg {
        if self.in_scope(reg, path) {
            return reg;
        }
        let op = self.defined[&reg].1.clone();
        self.kernel.classes.push(RegClass::Temporary);
        let new = (self.kernel.classes.len() - 1) as Reg;
        if let Op::Index { .. } = op {
            let mut op = op;
            op.for_each_source(&mut |source| *source = self.fetch(*source, path, out));
            op.for_each_result(&mut |result| *result = new);
            out.push(Node::Op(op));
            return new;
        }
        let variable = match self.kept.get_mut(&reg) {
            Some((variable, readers)) => {
                let common = readers.iter().zip(path).take_while(|(a, b)| a == b).count();
                readers.truncate(common);
                *variable
            }
            None => {
                let variable = self.kernel.classes.len() as Reg;
                self.kernel.classes.push(RegClass::Variable(variable));
                let kind = match self.types.of_reg(reg) {
                    Ty::Float => Kind::F32,
                    Ty::Int => Kind::U32,
                    Ty::Bool => Kind::Bool,
                };
                self.kernel.planes.insert(variable, kind);
                self.kept.insert(reg, (variable, path.to_vec()));
                variable
            }
        };
        out.push(Node::Op(Op::Unary { f: Unary::Copy, dst: new, a: variable }));
        new
    }
}

/// Sets variables where they start, and after the registers that they keep.
fn insert(
    region: &mut Region,
    kept: &BTreeMap<Reg, (Reg, Vec<u32>)>,
    starts: &HashMap<(u32, u32), Vec<Reg>>,
    zero: Reg,
) {
    let copy = |dst: Reg, a: Reg| Node::Op(Op::Unary { f: Unary::Copy, dst, a });
    let nodes = std::mem::take(&mut region.nodes);
    for mut node in nodes {
        for inner in node.regions() {
            for &variable in starts.get(&(region.id, inner.id)).into_iter().flatten() {
                region.nodes.push(copy(variable, zero));
            }
        }
        for inner in node.regions_mut() {
            insert(inner, kept, starts, zero);
        }
        let mut stores = Vec::new();
        if let Node::Op(op) | Node::UniformLoad(op) = &mut node {
            op.for_each_result(&mut |reg| {
                if let Some((variable, _)) = kept.get(reg) {
                    stores.push(copy(*variable, *reg));
                }
            });
        }
        region.nodes.push(node);
        region.nodes.extend(stores);
    }
}
