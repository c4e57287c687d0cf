//! Straightens divergent control flow around barriers: masks in variables replace structure.
//!
//! A branch, loop or switch loses its structure if it contains a barrier and is not uniform in the
//! workgroup, and so does a function that lanes leave before a barrier. The nodes between two barriers
//! become `if mask { … }`, and the barriers stand where all lanes meet them. The masks are those of the
//! interpreter: one for each branch and switch, two for a loop (the lanes still in it, and those still in
//! this iteration). Leaving takes a lane out of every mask up to the construct that it leaves. A loop
//! continues until no lane of the workgroup is in it, which the gangs tell each other through a word of
//! workgroup memory. Values and control flow of the workgroup (`divergence`) stay outside of the masks, so
//! that uniform loops stay uniform.

use super::divergence::{self, Flow};
use super::ir::{Kernel, Loop, Node, Region, Target};
use super::liveness::{Access, Liveness, access};
use super::shape::Shapes;
use crate::cpu::interpreter::bytecode::{Access as MemoryAccess, Address, Memory, NONE, Op, Part};
use crate::cpu::interpreter::class::Class as RegClass;
use crate::cpu::interpreter::functions::{Binary, Reg, Unary};
use crate::cpu::interpreter::shape::Kind;

/// A construct that runs under a mask.
#[derive(Debug, Clone, Copy)]
struct Scope {
    /// The target that `break` leaves; nothing for a branch and for the function.
    target: Option<Target>,
    /// The lanes that execute.
    mask: Reg,
    /// The lanes still in the loop.
    live: Option<Reg>,
}

struct Straighten<'k> {
    kernel: &'k mut Kernel,
    flow: Flow,
    scopes: Vec<Scope>,
    /// The interpreter's mask, which operations have to name.
    exec: Reg,
    /// The byte offset of the word of workgroup memory by which gangs report that a lane is left.
    word: Option<u64>,
}

/// Rewrites a kernel with barriers. Returns whether it changed.
pub(super) fn straighten(kernel: &mut Kernel, shapes: &Shapes, liveness: &Liveness) -> bool {
    if !kernel.body.has_barrier() {
        return false;
    }
    let flow = divergence::analyse(kernel, shapes, liveness);
    if !flow.returns && !needed(&flow, &kernel.body) {
        return false;
    }
    let exec = register(kernel, RegClass::Mask);
    let body = std::mem::take(&mut kernel.body);
    let mut this = Straighten { kernel, flow, scopes: Vec::new(), exec, word: None };
    let mut nodes = Vec::new();
    if this.flow.returns {
        let mask = this.variable();
        let all = this.constant(u32::MAX);
        nodes.push(copy(mask, all));
        this.scopes.push(Scope { target: None, mask, live: None });
    }
    this.stretch(body.nodes, &mut nodes);
    this.kernel.body = Region { id: body.id, nodes };
    true
}

/// Whether any node around barriers is not uniform in the workgroup.
fn needed(flow: &Flow, body: &Region) -> bool {
    let mut needed = false;
    body.for_each(&mut |node| {
        needed |= match node {
            Node::If { condition, .. } => flow.is_level(node) && !flow.once(*condition),
            Node::Loop(l) => flow.is_level(node) && flow.is_divergent(l.target),
            Node::Once { target, .. } => flow.is_level(node) && flow.is_divergent(*target),
            Node::UniformLoad(op) => !of_workgroup(flow, op),
            _ => false,
        };
    });
    needed
}

/// Whether all parts of a load are the workgroup's.
fn of_workgroup(flow: &Flow, load: &Op) -> bool {
    let mut once = true;
    load.clone().for_each_result(&mut |reg| once &= flow.once(*reg));
    once
}

fn register(kernel: &mut Kernel, class: RegClass) -> Reg {
    kernel.classes.push(class);
    (kernel.classes.len() - 1) as Reg
}

fn copy(dst: Reg, a: Reg) -> Node {
    Node::Op(Op::Unary { f: Unary::Copy, dst, a })
}

impl Straighten<'_> {
    fn constant(&mut self, value: u32) -> Reg {
        let known = self.kernel.classes.iter().position(|c| *c == RegClass::Constant(value));
        match known {
            Some(reg) => reg as Reg,
            None => register(self.kernel, RegClass::Constant(value)),
        }
    }

    fn variable(&mut self) -> Reg {
        let reg = self.kernel.classes.len() as Reg;
        self.kernel.classes.push(RegClass::Variable(reg));
        self.kernel.planes.insert(reg, Kind::Bool);
        reg
    }

    fn temporary(&mut self) -> Reg {
        register(self.kernel, RegClass::Temporary)
    }

    fn region(&mut self, nodes: Vec<Node>) -> Region {
        self.kernel.regions += 1;
        Region { id: self.kernel.regions - 1, nodes }
    }

    fn target(&mut self) -> Target {
        self.kernel.targets += 1;
        self.kernel.targets - 1
    }

    fn read(&mut self, variable: Reg, out: &mut Vec<Node>) -> Reg {
        let dst = self.temporary();
        out.push(copy(dst, variable));
        dst
    }

    fn binary(&mut self, f: Binary, a: Reg, b: Reg, out: &mut Vec<Node>) -> Reg {
        let dst = self.temporary();
        out.push(Node::Op(Op::Binary { f, dst, a, b }));
        dst
    }

    /// Rewrites nodes of the workgroup's level: barriers and the nodes around them stay outside of the
    /// mask, the rest goes under it.
    fn stretch(&mut self, nodes: Vec<Node>, out: &mut Vec<Node>) {
        let mut group = Vec::new();
        for node in nodes {
            if self.flow.is_level(&node) {
                self.flush(&mut group, out);
                self.level(node, out);
            } else if self.scopes.is_empty() {
                out.push(node);
            } else if let Node::Op(op) = &node
                && self.flow.is_once(self.kernel, op)
            {
                // It overtakes the group, which must not see a variable's next value.
                if let Some(Access::Set(var)) = access(self.kernel, op)
                    && self.reads(&group, var)
                {
                    self.flush(&mut group, out);
                }
                out.push(node);
            } else {
                group.push(node);
            }
        }
        self.flush(&mut group, out);
    }

    fn reads(&self, group: &[Node], var: Reg) -> bool {
        let mut found = false;
        let mut look = |node: &Node| {
            found |= matches!(node, Node::Op(op)
                if access(self.kernel, op) == Some(Access::Read(var)));
        };
        for node in group {
            look(node);
            for region in node.regions() {
                region.for_each(&mut look);
            }
        }
        found
    }

    /// Puts a group under the innermost mask.
    fn flush(&mut self, group: &mut Vec<Node>, out: &mut Vec<Node>) {
        let nodes = std::mem::take(group);
        let Some(scope) = self.scopes.last().copied() else {
            out.extend(nodes);
            return;
        };
        if nodes.is_empty() {
            return;
        }
        let target = self.target();
        let mut left = false;
        let mut nodes = self.replaced(nodes, target, &mut left);
        if left {
            let body = self.region(nodes);
            nodes = vec![Node::Once { target, body }];
        }
        let condition = self.read(scope.mask, out);
        let (accept, reject) = (self.region(nodes), self.region(Vec::new()));
        out.push(Node::If { condition, accept, reject });
    }

    /// Nodes whose exits change the masks and end in `Break(end)`.
    fn replaced(&mut self, nodes: Vec<Node>, end: Target, left: &mut bool) -> Vec<Node> {
        let mut out = Vec::with_capacity(nodes.len());
        for mut node in nodes {
            let leaving = match node {
                Node::Break(t) | Node::Continue(t) => {
                    self.scopes.iter().rposition(|scope| scope.target == Some(t))
                }
                // The function's scope is the first.
                Node::Return => Some(0),
                _ => None,
            };
            if let Some(at) = leaving {
                let none = self.constant(0);
                for (k, scope) in self.scopes.iter().enumerate().skip(at).rev() {
                    out.push(copy(scope.mask, none));
                    if let Some(live) = scope.live
                        && (k > at || !matches!(node, Node::Continue(_)))
                    {
                        out.push(copy(live, none));
                    }
                }
                out.push(Node::Break(end));
                *left = true;
                continue;
            }
            for inner in node.regions_mut() {
                let nodes = std::mem::take(&mut inner.nodes);
                inner.nodes = self.replaced(nodes, end, left);
            }
            out.push(node);
        }
        out
    }

    fn level(&mut self, node: Node, out: &mut Vec<Node>) {
        match node {
            Node::UniformLoad(op) if !of_workgroup(&self.flow, &op) => {
                // Each lane loads for itself, between the barriers around the load.
                let mut group = vec![Node::Op(op)];
                self.flush(&mut group, out);
            }
            Node::If { condition, accept, reject } if self.flow.once(condition) => {
                let accept = self.inner(accept);
                let reject = self.inner(reject);
                out.push(Node::If { condition, accept, reject });
            }
            Node::If { condition, accept, reject } => {
                self.branches(condition, accept, reject, out);
            }
            Node::Loop(l) if self.flow.is_divergent(l.target) => self.divergent_loop(*l, out),
            Node::Loop(mut l) => {
                l.body = self.inner(l.body);
                l.continuing = self.inner(l.continuing);
                let Some(scope) = self.scopes.last().copied() else {
                    out.push(Node::Loop(l));
                    return;
                };
                // The loop's conditions have a meaning only if a lane is in the loop.
                let condition = self.any(scope.mask, out);
                let accept = self.region(vec![Node::Loop(l)]);
                let reject = self.region(Vec::new());
                out.push(Node::If { condition, accept, reject });
            }
            Node::Once { target, body } if self.flow.is_divergent(target) => {
                let mask = self.variable();
                let lanes = self.lanes(out);
                out.push(copy(mask, lanes));
                self.scopes.push(Scope { target: Some(target), mask, live: None });
                self.stretch(body.nodes, out);
                self.scopes.pop();
            }
            Node::Once { target, body } => {
                let body = self.inner(body);
                out.push(Node::Once { target, body });
            }
            other => out.push(other),
        }
    }

    fn inner(&mut self, region: Region) -> Region {
        let mut nodes = Vec::new();
        self.stretch(region.nodes, &mut nodes);
        Region { id: region.id, nodes }
    }

    /// The lanes that execute at this point.
    fn lanes(&mut self, out: &mut Vec<Node>) -> Reg {
        match self.scopes.last().copied() {
            Some(scope) => self.read(scope.mask, out),
            None => self.constant(u32::MAX),
        }
    }

    fn branches(&mut self, condition: Reg, accept: Region, reject: Region, out: &mut Vec<Node>) {
        let lanes = self.lanes(out);
        let mut arms = Vec::new();
        for (region, f) in [(accept, Binary::And), (reject, Binary::AndNot)] {
            if !region.nodes.is_empty() {
                let wanted = self.binary(f, lanes, condition, out);
                let mask = self.variable();
                out.push(copy(mask, wanted));
                arms.push((region, mask));
            }
        }
        for (region, mask) in arms {
            self.scopes.push(Scope { target: None, mask, live: None });
            self.stretch(region.nodes, out);
            self.scopes.pop();
        }
    }

    fn divergent_loop(&mut self, l: Loop, out: &mut Vec<Node>) {
        let (live, mask) = (self.variable(), self.variable());
        let lanes = self.lanes(out);
        out.push(copy(live, lanes));
        let mut body = Vec::new();
        let any = self.any(live, &mut body);
        let stay = self.region(Vec::new());
        let leave = self.region(vec![Node::Break(l.target)]);
        body.push(Node::If { condition: any, accept: stay, reject: leave });
        let still = self.read(live, &mut body);
        body.push(copy(mask, still));
        self.scopes.push(Scope { target: Some(l.target), mask, live: Some(live) });
        self.stretch(l.body.nodes, &mut body);
        self.scopes.pop();
        // Lanes that continued rejoin here.
        self.scopes.push(Scope { target: None, mask: live, live: None });
        self.stretch(l.continuing.nodes, &mut body);
        self.scopes.pop();
        if let Some(condition) = l.break_if {
            let still = self.read(live, &mut body);
            let rest = self.binary(Binary::AndNot, still, condition, &mut body);
            body.push(copy(live, rest));
        }
        let (body, continuing) = (self.region(body), self.region(Vec::new()));
        out.push(Node::Loop(Box::new(Loop { body, continuing, break_if: None, ..l })));
    }

    /// Whether a mask has a lane in any gang of the workgroup.
    fn any(&mut self, mask: Reg, out: &mut Vec<Node>) -> Reg {
        let kernel = &mut *self.kernel;
        let offset = *self.word.get_or_insert_with(|| {
            kernel.workgroup_words += 1;
            (kernel.workgroup_words - 1) * 4
        });
        let exec = self.exec;
        let access = move |reg: Reg| {
            Box::new(MemoryAccess {
                address: Address {
                    memory: Memory::Workgroup,
                    offset,
                    outer: NONE,
                    stride: 0,
                    signed: false,
                    inner: NONE,
                },
                parts: vec![Part { reg, offset: 0, half: false }],
                mask: exec,
            })
        };
        let (none, one) = (self.constant(0), self.constant(1));
        out.push(Node::Op(Op::Store(access(none))));
        out.push(Node::Barrier);
        let condition = self.read(mask, out);
        let accept = self.region(vec![Node::Op(Op::Store(access(one)))]);
        let reject = self.region(Vec::new());
        out.push(Node::If { condition, accept, reject });
        out.push(Node::Barrier);
        let word = self.temporary();
        out.push(Node::UniformLoad(Op::Load(access(word))));
        out.push(Node::Barrier);
        let any = self.temporary();
        out.push(Node::Op(Op::Unary { f: Unary::NonZeroI, dst: any, a: word }));
        any
    }
}
