//! Common subexpressions: a pure operation that repeats an earlier one takes over its results.
//!
//! The front end lowers every mention of an expression anew. Here an operation on the same operands, in the
//! same region or one around it, is dropped, so passes that compare values see that they are equal. Reads of
//! variables stay. Nothing is reused across a barrier, since it would have to be kept for each gang.

use std::collections::HashMap;

use super::ir::{Kernel, Node, Region};
use crate::cpu::interpreter::bytecode::{Memory, Op};
use crate::cpu::interpreter::functions::{Reg, Unary};

/// Rewrites the kernel.
pub(super) fn share(kernel: &mut Kernel) {
    let mut body = std::mem::take(&mut kernel.body);
    let preamble = std::mem::take(&mut kernel.preamble);
    let mut walk = Walk { kernel, known: vec![HashMap::new()], names: HashMap::new() };
    let mut kept = Vec::new();
    for mut op in preamble {
        if !walk.reuses(&mut op) {
            kept.push(op);
        }
    }
    walk.region(&mut body);
    kernel.preamble = kept;
    kernel.body = body;
}

struct Walk<'k> {
    kernel: &'k Kernel,
    /// Results, by the operation without its results; a scope for each region.
    known: Vec<HashMap<String, Vec<Reg>>>,
    names: HashMap<Reg, Reg>,
}

impl Walk<'_> {
    fn region(&mut self, region: &mut Region) {
        self.known.push(HashMap::new());
        let mut kept = Vec::new();
        for mut node in std::mem::take(&mut region.nodes) {
            if node.has_barrier() {
                self.known.truncate(1);
                self.known.push(HashMap::new());
            }
            if let Node::Op(op) = &mut node
                && self.reuses(op)
            {
                continue;
            }
            match &mut node {
                Node::UniformLoad(op) => self.rename(op),
                Node::If { condition, .. } => *condition = self.name(*condition),
                _ => {}
            }
            let scopes = self.known.len();
            for inner in node.regions_mut() {
                self.region(inner);
            }
            if let Node::Loop(l) = &mut node {
                l.break_if = l.break_if.map(|reg| self.name(reg));
            }
            // A barrier inside ended the scopes.
            while self.known.len() < scopes {
                self.known.push(HashMap::new());
            }
            kept.push(node);
        }
        region.nodes = kept;
        self.known.pop();
    }

    fn name(&self, reg: Reg) -> Reg {
        self.names.get(&reg).copied().unwrap_or(reg)
    }

    fn rename(&self, op: &mut Op) {
        op.for_each_source(&mut |reg| *reg = self.name(*reg));
    }

    /// Whether an operation's results are known already. Later operations then read the earlier results.
    fn reuses(&mut self, op: &mut Op) -> bool {
        self.rename(op);
        let pure = match &*op {
            Op::Unary { f: Unary::Copy, dst, a } => {
                !self.kernel.is_variable(*dst) && !self.kernel.is_variable(*a)
            }
            Op::Load(access) => matches!(access.address.memory, Memory::Value(_)),
            other => other.is_pure(),
        };
        if !pure {
            return false;
        }
        let mut results = Vec::new();
        let mut key = op.clone();
        key.for_each_result(&mut |reg| results.push(std::mem::replace(reg, 0)));
        let key = format!("{key:?}");
        let earlier = self.known.iter().rev().find_map(|scope| scope.get(&key));
        if let Some(earlier) = earlier {
            self.names.extend(results.iter().copied().zip(earlier.iter().copied()));
            return true;
        }
        if let Some(scope) = self.known.last_mut() {
            scope.insert(key, results);
        }
        false
    }
}
