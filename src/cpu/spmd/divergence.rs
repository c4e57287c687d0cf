//! Finds control flow around barriers that is not uniform in the workgroup.
//!
//! Uniform control flow stays control flow of the workgroup. `straighten` rewrites the rest: its statements
//! run under masks, between barriers that all lanes reach. One analysis, from optimistic starts, finds two
//! things: the loops and switches that lanes leave at different times, and the operations that the workgroup
//! may execute once whatever the masks. Such operations are pure, depend only on each other, and set a
//! variable only if lanes that are masked off never read it again.

use super::ir::{Kernel, Node, Region, Target};
use super::liveness::{Access, Liveness, access};
use super::shape::{Class, Shapes};
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::class::Class as RegClass;
use crate::cpu::interpreter::functions::{Reg, Unary};

/// A kernel's flow around barriers.
#[derive(Debug)]
pub(super) struct Flow {
    /// Registers and variables that are computed once for the workgroup, whatever the masks.
    once: Vec<bool>,
    /// Loops and switches that lanes of the workgroup leave at different times.
    divergent: Vec<bool>,
    /// Loops and switches with a barrier in them.
    around: Vec<bool>,
    /// Whether lanes may return while others continue.
    pub(super) returns: bool,
}

impl Flow {
    pub(super) fn once(&self, reg: Reg) -> bool {
        self.once[reg as usize]
    }

    pub(super) fn is_divergent(&self, target: Target) -> bool {
        self.divergent[target as usize]
    }

    /// Whether a node belongs to the workgroup's control flow, or has to be straightened, since it
    /// contains a barrier or leaves a loop of the workgroup.
    pub(super) fn is_level(&self, node: &Node) -> bool {
        let mut level = false;
        let mut look = |node: &Node| {
            level |= match node {
                Node::Barrier | Node::UniformLoad(_) => true,
                Node::Break(t) | Node::Continue(t) => {
                    self.around[*t as usize] && !self.divergent[*t as usize]
                }
                _ => false,
            };
        };
        look(node);
        for region in node.regions() {
            region.for_each(&mut look);
        }
        level
    }

    /// Whether an operation on the workgroup's level is executed once, whatever the masks.
    pub(super) fn is_once(&self, kernel: &Kernel, op: &Op) -> bool {
        let mut results = Vec::new();
        op.clone().for_each_result(&mut |reg| results.push(*reg));
        let kind = match op {
            Op::Unary { f: Unary::Copy, dst, .. } => kernel.array_of(*dst).is_none(),
            Op::Load(_) => true,
            op => op.is_pure(),
        };
        kind && !results.is_empty() && results.into_iter().all(|reg| self.once(reg))
    }
}

struct Walk<'k> {
    kernel: &'k Kernel,
    liveness: &'k Liveness,
    flow: Flow,
    /// The loops and switches around the current node, and the number of divergent branches around each.
    targets: Vec<(Target, u32)>,
    changed: bool,
}

/// Analyses a kernel that has barriers.
pub(super) fn analyse(kernel: &Kernel, shapes: &Shapes, liveness: &Liveness) -> Flow {
    let mut around = vec![false; kernel.targets as usize];
    let mut returns = false;
    kernel.body.for_each(&mut |node| match node {
        Node::Loop(l) => around[l.target as usize] = node.has_barrier(),
        Node::Once { target, .. } => around[*target as usize] = node.has_barrier(),
        Node::Return => returns = true,
        _ => {}
    });
    let once =
        (0..kernel.classes.len()).map(|reg| shapes.regs[reg].class <= Class::Workgroup).collect();
    let divergent = vec![false; kernel.targets as usize];
    let flow = Flow { once, divergent, around, returns };
    let mut walk = Walk { kernel, liveness, flow, targets: Vec::new(), changed: true };
    while std::mem::take(&mut walk.changed) {
        walk.leaves(&kernel.body, 0);
        let mut level = vec![false; kernel.classes.len()];
        for op in &kernel.preamble {
            op.clone().for_each_result(&mut |reg| level[*reg as usize] = true);
        }
        walk.level(&kernel.body, None, &mut level);
        for (reg, class) in kernel.classes.iter().enumerate() {
            // The temporary is set inside of a node without barriers.
            if *class == RegClass::Temporary && !level[reg] {
                walk.not_once(reg as Reg);
            }
        }
    }
    walk.flow
}

impl Walk<'_> {
    fn not_once(&mut self, reg: Reg) {
        if std::mem::take(&mut self.flow.once[reg as usize]) {
            self.changed = true;
        }
    }

    fn diverges(&mut self, from: usize) {
        for at in from..self.targets.len() {
            let target = self.targets[at].0 as usize;
            if !std::mem::replace(&mut self.flow.divergent[target], true) {
                self.changed = true;
            }
        }
    }

    /// Finds the loops and switches that lanes leave at different times.
    fn leaves(&mut self, region: &Region, depth: u32) {
        for node in &region.nodes {
            match node {
                Node::If { condition, accept, reject } => {
                    let depth = depth + u32::from(!self.flow.once(*condition));
                    self.leaves(accept, depth);
                    self.leaves(reject, depth);
                }
                Node::Loop(l) => {
                    self.targets.push((l.target, depth));
                    self.leaves(&l.body, depth);
                    self.leaves(&l.continuing, depth);
                    if l.break_if.is_some_and(|condition| !self.flow.once(condition)) {
                        self.diverges(self.targets.len() - 1);
                    }
                    self.targets.pop();
                }
                Node::Once { target, body } => {
                    self.targets.push((*target, depth));
                    self.leaves(body, depth);
                    self.targets.pop();
                }
                Node::Break(target) | Node::Continue(target) => {
                    let Some(at) = self.targets.iter().rposition(|(t, _)| t == target) else {
                        continue;
                    };
                    // Lanes that left a divergent construct in between wait at its end.
                    let waiting =
                        self.targets[at..].iter().any(|(t, _)| self.flow.divergent[*t as usize]);
                    if depth > self.targets[at].1 || waiting {
                        self.diverges(at);
                    }
                }
                Node::Return => self.diverges(0),
                Node::Gangs { body, .. } => self.leaves(body, depth),
                Node::Op(_)
                | Node::Barrier
                | Node::UniformLoad(_)
                | Node::Prefetch(_)
                // A later pass makes these.
                | Node::Versions(_) => {}
            }
        }
    }

    /// Finds the operations that are not executed once on the workgroup's level. `masked` is the
    /// innermost region under a mask of its own.
    fn level(&mut self, region: &Region, masked: Option<u32>, level: &mut Vec<bool>) {
        for node in &region.nodes {
            match node {
                Node::Op(op) | Node::UniformLoad(op) => self.op(op, masked, level),
                _ if !self.flow.is_level(node) => self.inside(node),
                Node::If { condition, accept, reject } => {
                    let once = self.flow.once(*condition);
                    for region in [accept, reject] {
                        let masked = if once { masked } else { Some(region.id) };
                        self.level(region, masked, level);
                    }
                }
                Node::Loop(l) => {
                    for region in [&l.body, &l.continuing] {
                        let divergent = self.flow.is_divergent(l.target);
                        let masked = if divergent { Some(region.id) } else { masked };
                        self.level(region, masked, level);
                    }
                }
                Node::Once { target, body } => {
                    let divergent = self.flow.is_divergent(*target);
                    let masked = if divergent { Some(body.id) } else { masked };
                    self.level(body, masked, level);
                }
                _ => {}
            }
        }
    }

    fn op(&mut self, op: &Op, masked: Option<u32>, level: &mut [bool]) {
        let mut once = op.is_pure() || matches!(op, Op::Load(_));
        let mut op = op.clone();
        let mask = match &op {
            Op::Load(access) => Some(access.mask),
            _ => None,
        };
        op.for_each_source(&mut |reg| once &= Some(*reg) == mask || self.flow.once(*reg));
        let set = access(self.kernel, &op);
        if let Some(Access::Set(var) | Access::Change(var)) = set {
            let home = self.liveness.home.get(&var).copied();
            let inside = masked.is_none_or(|masked| {
                let mut at = home;
                while at.is_some_and(|region| region != masked) {
                    at = at.and_then(|region| self.liveness.parent[region as usize]);
                }
                at.is_some()
            });
            if !once || !inside || !matches!(set, Some(Access::Set(_))) {
                self.not_once(var);
            }
        }
        op.for_each_result(&mut |reg| {
            if !self.kernel.is_variable(*reg) {
                level[*reg as usize] = true;
                if !once {
                    self.not_once(*reg);
                }
            }
        });
    }

    /// Variables that are set inside of a node without barriers are not set once.
    fn inside(&mut self, node: &Node) {
        for region in node.regions() {
            region.for_each(&mut |node| {
                if let Node::Op(op) = node
                    && let Some(Access::Set(var) | Access::Change(var)) = access(self.kernel, op)
                {
                    self.not_once(var);
                }
            });
        }
    }
}
