//! Liveness of variables, for each lane.
//!
//! Masks play no part: a lane follows its own path through the structure, so this is the usual backward
//! analysis of a structured program. It also finds each variable's home: the innermost region that has all
//! its accesses and at whose entry it is dead.

use std::collections::{BTreeSet, HashMap};

use super::ir::{Kernel, Node, Region, Target};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::functions::{Reg, Unary};

/// Variables by their planes; an array by its first plane.
pub(in crate::cpu) type Set = BTreeSet<Reg>;

/// The liveness of a kernel's variables.
#[derive(Debug, Default)]
pub(in crate::cpu) struct Liveness {
    /// Live at the entry of each region.
    pub(in crate::cpu) entry: Vec<Set>,
    /// Live at the end of each region of `Gangs`; empty for the others.
    pub(in crate::cpu) after: Vec<Set>,
    /// Live where each loop or switch has been left.
    pub(in crate::cpu) exit: Vec<Set>,
    /// The region around each region.
    pub(in crate::cpu) parent: Vec<Option<u32>>,
    /// The home of each variable: a region.
    pub(in crate::cpu) home: HashMap<Reg, u32>,
}

/// A variable as one operation uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Access {
    Read(Reg),
    /// All of it is set.
    Set(Reg),
    /// Some of it is set.
    Change(Reg),
}

/// The access of an operation to a variable.
pub(in crate::cpu) fn access(kernel: &Kernel, op: &Op) -> Option<Access> {
    let array = |plane: Reg| kernel.array_of(plane).map(|array| array.first);
    match *op {
        Op::Unary { f: Unary::Copy, dst, .. } if kernel.is_variable(dst) => {
            Some(array(dst).map_or(Access::Set(dst), Access::Change))
        }
        Op::Unary { f: Unary::Copy, a, .. } if kernel.is_variable(a) => {
            Some(Access::Read(array(a).unwrap_or(a)))
        }
        Op::LocalLoad { var, .. } => Some(Access::Read(array(var).unwrap_or(var))),
        Op::LocalStore { var, .. } => Some(Access::Change(array(var).unwrap_or(var))),
        Op::Clear { var, count } => match kernel.array_of(var) {
            Some(array) if array.first == var && array.count == count => {
                Some(Access::Set(array.first))
            }
            Some(array) => Some(Access::Change(array.first)),
            None => Some(Access::Set(var)),
        },
        _ => None,
    }
}

struct Walk<'k> {
    kernel: &'k Kernel,
    result: Liveness,
    /// Live at the target of a break, and of a continue.
    breaks: HashMap<Target, Set>,
    continues: HashMap<Target, Set>,
}

/// Analyses a kernel, and drops dead stores at its top level, such as initial values that are not read.
pub(in crate::cpu) fn analyse(kernel: &mut Kernel) -> Liveness {
    let mut body = std::mem::take(&mut kernel.body);
    let regions = kernel.regions as usize;
    let mut walk = Walk {
        kernel,
        result: Liveness {
            entry: vec![Set::new(); regions],
            after: vec![Set::new(); regions],
            exit: vec![Set::new(); kernel.targets as usize],
            parent: vec![None; regions],
            home: HashMap::new(),
        },
        breaks: HashMap::new(),
        continues: HashMap::new(),
    };
    let mut live = Set::new();
    let mut kept = Vec::new();
    for node in std::mem::take(&mut body.nodes).into_iter().rev() {
        let dead = matches!(&node, Node::Op(op)
            if matches!(access(walk.kernel, op), Some(Access::Set(var)) if !live.contains(&var)));
        if !dead {
            walk.node(&node, &mut live);
            kept.push(node);
        }
    }
    kept.reverse();
    body.nodes = kept;
    walk.result.entry[body.id as usize] = live;
    walk.homes(&body);
    let result = walk.result;
    kernel.body = body;
    result
}

impl Walk<'_> {
    fn region(&mut self, region: &Region, mut live: Set) -> Set {
        for node in region.nodes.iter().rev() {
            self.node(node, &mut live);
        }
        self.result.entry[region.id as usize] = live.clone();
        live
    }

    fn node(&mut self, node: &Node, live: &mut Set) {
        match node {
            Node::Op(op) | Node::UniformLoad(op) => match access(self.kernel, op) {
                Some(Access::Read(var)) => {
                    live.insert(var);
                }
                Some(Access::Set(var)) => {
                    live.remove(&var);
                }
                // The rest of the variable keeps its value.
                Some(Access::Change(_)) | None => {}
            },
            Node::If { accept, reject, .. } => {
                let mut both = self.region(accept, live.clone());
                both.extend(self.region(reject, std::mem::take(live)));
                *live = both;
            }
            Node::Loop(l) => {
                let out = std::mem::take(live);
                self.result.exit[l.target as usize] = out.clone();
                self.breaks.insert(l.target, out.clone());
                // When an outer loop walks over this loop again, live sets only grow, so the walk starts
                // from the last result. Starting from nothing, each level of nested loops would double the
                // number of walks.
                let mut head = self.result.entry[l.body.id as usize].clone();
                loop {
                    let mut after = head.clone();
                    if l.break_if.is_some() {
                        after.extend(&out);
                    }
                    let continuing = self.region(&l.continuing, after);
                    self.continues.insert(l.target, continuing.clone());
                    let next = self.region(&l.body, continuing);
                    if next == head {
                        break;
                    }
                    head.extend(next);
                }
                *live = head;
            }
            Node::Once { target, body } => {
                let out = std::mem::take(live);
                self.result.exit[*target as usize] = out.clone();
                self.breaks.insert(*target, out.clone());
                *live = self.region(body, out);
            }
            Node::Break(target) => *live = self.breaks.get(target).cloned().unwrap_or_default(),
            Node::Continue(target) => {
                *live = self.continues.get(target).cloned().unwrap_or_default();
            }
            Node::Return => live.clear(),
            Node::Barrier | Node::Prefetch(_) => {}
            Node::Versions(versions) => {
                let mut both = self.region(&versions.inner, live.clone());
                both.extend(self.region(&versions.edge, std::mem::take(live)));
                *live = both;
            }
            Node::Gangs { body, .. } => {
                self.result.after[body.id as usize].clone_from(live);
                *live = self.region(body, std::mem::take(live));
            }
        }
    }

    /// Finds each region's parent, and each variable's home.
    fn homes(&mut self, body: &Region) {
        let mut used: HashMap<Reg, Vec<u32>> = HashMap::new();
        let mut stack = vec![body];
        while let Some(region) = stack.pop() {
            for node in &region.nodes {
                for inner in node.regions() {
                    self.result.parent[inner.id as usize] = Some(region.id);
                    stack.push(inner);
                }
                if let Node::Op(op) | Node::UniformLoad(op) = node
                    && let Some(Access::Read(var) | Access::Set(var) | Access::Change(var)) =
                        access(self.kernel, op)
                {
                    used.entry(var).or_default().push(region.id);
                }
            }
        }
        for (var, regions) in used {
            let mut home = self.path(regions[0]);
            for &region in &regions[1..] {
                let other = self.path(region);
                let common = home.iter().zip(&other).take_while(|(a, b)| a == b).count();
                home.truncate(common);
            }
            while home.len() > 1
                && home.last().is_some_and(|&r| self.result.entry[r as usize].contains(&var))
            {
                home.pop();
            }
            self.result.home.insert(var, home.last().copied().unwrap_or(body.id));
        }
    }

    /// A region and the regions around it, outermost first.
    fn path(&self, region: u32) -> Vec<u32> {
        let mut path = vec![region];
        let mut at = region;
        while let Some(outer) = self.result.parent[at as usize] {
            path.push(outer);
            at = outer;
        }
        path.reverse();
        path
    }
}
