//! Uniformity analysis: which values and variables of a gang are uniform, strided or varying.
//!
//! The analysis finds a fixed point over the structured kernel. Every variable starts unset, and its
//! shape is the join of the shapes that are stored into it. A store makes the variable varying if only some
//! of the lanes that still need the variable execute it. These lanes follow from the variable's home region
//! and from the loops that lanes leave at different times (`liveness`). What always holds: a uniform value
//! is the same in all lanes that compute it together, so one scalar serves.

use super::ir::{Kernel, Node, Region, Target};
use super::liveness::{Access, Liveness, access};
use crate::cpu::interpreter::bytecode::{Builtin, Collective, Gather, Memory, NONE, Op};
use crate::cpu::interpreter::class::Class as RegClass;
use crate::cpu::interpreter::functions::{Binary, Reg, Ternary, Unary};
use crate::error::{Error, Result};
use crate::kernel::{Kernel as Source, Space};

/// The relation of the values in the lanes of a gang, from the most to the least special.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cpu) enum Class {
    /// Nothing has been stored yet.
    Unset,
    /// The same for the whole workgroup.
    Workgroup,
    /// The same for the gang.
    Gang,
    /// The first lane's value plus a multiple of the lane's number, wrapping.
    Strided(i32),
    /// Strided by one if a run-time check says so.
    Likely,
    Varying,
}

/// The shape of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) struct Shape {
    pub(in crate::cpu) class: Class,
    /// The first lane's value is a multiple of this power of two.
    pub(in crate::cpu) align: u32,
}

/// The least special shape.
const VARYING: Shape = Shape { class: Class::Varying, align: 1 };
const UNSET: Shape = Shape { class: Class::Unset, align: 1 << 31 };

impl Shape {
    fn uniform(class: Class, align: u32) -> Shape {
        Shape { class, align }
    }

    pub(in crate::cpu) fn is_uniform(self) -> bool {
        self.class <= Class::Gang
    }

    fn join(self, other: Shape) -> Shape {
        if self.class == Class::Unset {
            return other;
        }
        if other.class == Class::Unset {
            return self;
        }
        let align = self.align.min(other.align);
        let class = match (self.class, other.class) {
            (a, b) if a <= Class::Gang && b <= Class::Gang => a.max(b),
            (Class::Strided(a), Class::Strided(b)) if a == b => Class::Strided(a),
            _ => return VARYING,
        };
        Shape { class, align }
    }
}

/// The result of the analysis.
#[derive(Debug)]
pub(in crate::cpu) struct Shapes {
    pub(in crate::cpu) regs: Vec<Shape>,
    /// Loops and switches that lanes leave, or continue, at different times.
    pub(in crate::cpu) masked: Vec<bool>,
    /// Whether a divergent `Return` remains after `guards`.
    pub(in crate::cpu) returns: bool,
}

struct Walk<'k> {
    kernel: &'k Kernel,
    source: &'k Source,
    liveness: &'k Liveness,
    result: Shapes,
    /// The number of divergent constructs around each region.
    depth: Vec<u32>,
    /// Depth of the body of each loop or switch.
    target_depth: Vec<u32>,
    /// Loops and switches around the current node.
    targets: Vec<Target>,
    /// Whether the kernel has barriers.
    barriers: bool,
    changed: bool,
}

/// Analyses a kernel.
pub(in crate::cpu) fn analyse(
    kernel: &Kernel,
    source: &Source,
    liveness: &Liveness,
) -> Result<Shapes> {
    let regs = (0..kernel.classes.len() as Reg).map(|reg| initial(kernel, reg)).collect();
    let targets = kernel.targets as usize;
    let mut walk = Walk {
        kernel,
        source,
        liveness,
        result: Shapes { regs, masked: vec![false; targets], returns: false },
        depth: vec![0; kernel.regions as usize],
        target_depth: vec![0; targets],
        targets: Vec::new(),
        barriers: kernel.body.has_barrier(),
        changed: true,
    };
    for _ in 0..ROUNDS + kernel.classes.len() {
        if !std::mem::take(&mut walk.changed) {
            return Ok(walk.result);
        }
        walk.region(&kernel.body, 0, walk.barriers);
    }
    Err(Error::Internal {
        place: "cpu::spmd::shape".to_owned(),
        cause: "no fixed point was found".to_owned(),
    })
}

/// Finds the shapes of a region's registers again after its operations have changed.
pub(super) fn refresh(kernel: &Kernel, source: &Source, shapes: &mut Shapes, region: &Region) {
    let none = Shapes { regs: Vec::new(), masked: Vec::new(), returns: false };
    let mut walk = Walk {
        kernel,
        source,
        liveness: &Liveness::default(),
        result: std::mem::replace(shapes, none),
        depth: Vec::new(),
        target_depth: Vec::new(),
        targets: Vec::new(),
        barriers: false,
        changed: false,
    };
    region.for_each(&mut |node| {
        // The shapes of variables have not changed.
        if let Node::Op(op) = node
            && !matches!(access(kernel, op), Some(Access::Set(_) | Access::Change(_)))
        {
            walk.op(op, 0, false);
        }
    });
    *shapes = walk.result;
}

/// The most walks, in addition to one for each register. If variables of a loop are copied to each
/// other, each walk reaches one more of them. Most kernels need a handful of walks.
const ROUNDS: usize = 100;

fn low_bit(value: u32) -> u32 {
    if value == 0 { 1 << 31 } else { 1 << value.trailing_zeros().min(31) }
}

/// The shape of a register that no operation of the body sets.
fn initial(kernel: &Kernel, reg: Reg) -> Shape {
    match kernel.classes[reg as usize] {
        RegClass::Constant(value) => Shape::uniform(Class::Workgroup, low_bit(value)),
        RegClass::Invariant => Shape::uniform(Class::Workgroup, 1),
        RegClass::Builtin => match kernel.builtins.get(&reg) {
            Some(&builtin) => builtin_shape(kernel, builtin),
            None => VARYING,
        },
        // The planes that an indexed store changes are not known.
        RegClass::Variable(_) if kernel.array_of(reg).is_some() => VARYING,
        RegClass::Temporary | RegClass::Mask | RegClass::Variable(_) => UNSET,
    }
}

fn builtin_shape(kernel: &Kernel, builtin: Builtin) -> Shape {
    let [x, y, z] = kernel.workgroup_size;
    let width = kernel.width;
    let local = |axis: u8| match axis {
        0 if x.is_multiple_of(width) || y * z == 1 => {
            Shape { class: Class::Strided(1), align: low_bit(width) }
        }
        0 if x == 1 => Shape::uniform(Class::Workgroup, 1 << 31),
        1 if y == 1 => Shape::uniform(Class::Workgroup, 1 << 31),
        2 if z == 1 => Shape::uniform(Class::Workgroup, 1 << 31),
        1 | 2 if x.is_multiple_of(width) => Shape::uniform(Class::Gang, 1),
        2 if (x * y).is_multiple_of(width) => Shape::uniform(Class::Gang, 1),
        _ => VARYING,
    };
    match builtin {
        // A gang is a subgroup.
        Builtin::LocalIndex | Builtin::SubgroupInvocationId => {
            Shape { class: Class::Strided(1), align: low_bit(width) }
        }
        Builtin::SubgroupId => Shape::uniform(Class::Gang, 1),
        Builtin::LocalId(axis) => local(axis),
        Builtin::WorkgroupId(_) | Builtin::NumWorkgroups(_) => Shape::uniform(Class::Workgroup, 1),
        Builtin::GlobalId(axis) => {
            let of_group = low_bit(kernel.extent(axis));
            let local = local(axis);
            Shape { class: local.class, align: local.align.min(of_group) }
        }
        _ => VARYING,
    }
}

impl Walk<'_> {
    fn shape(&self, reg: Reg) -> Shape {
        self.result.regs[reg as usize]
    }

    fn set(&mut self, reg: Reg, shape: Shape) {
        let joined = self.shape(reg).join(shape);
        if joined != self.shape(reg) {
            self.result.regs[reg as usize] = joined;
            self.changed = true;
        }
    }

    /// Sets the shape of a value, which is set once. Its shape only gets less special.
    fn define(&mut self, reg: Reg, shape: Shape) {
        if self.shape(reg) != shape {
            self.result.regs[reg as usize] = shape;
            self.changed = true;
        }
    }

    /// Walks a region inside of `depth` divergent constructs. Returns the targets at which lanes that
    /// left it rejoin.
    fn region(&mut self, region: &Region, depth: u32, workgroup: bool) -> Vec<Target> {
        self.depth[region.id as usize] = depth;
        let mut depth = depth;
        let mut away: Vec<Target> = Vec::new();
        for node in &region.nodes {
            match node {
                Node::Op(op) => self.op(op, depth, workgroup),
                Node::UniformLoad(op) => {
                    op.clone().for_each_result(&mut |reg| {
                        self.define(*reg, Shape::uniform(Class::Workgroup, 1));
                    });
                }
                Node::If { condition, accept, reject } => {
                    let divergent = !self.shape(*condition).is_uniform();
                    let inner = depth + u32::from(divergent);
                    let workgroup = workgroup && wants_workgroup(node);
                    let mut left = self.region(accept, inner, workgroup);
                    left.extend(self.region(reject, inner, workgroup));
                    depth += u32::from(!left.is_empty());
                    away.extend(left);
                }
                Node::Loop(l) => {
                    self.target_depth[l.target as usize] = depth;
                    self.targets.push(l.target);
                    let workgroup = workgroup && node.has_barrier();
                    let mut left = self.region(&l.body, depth, workgroup);
                    left.extend(self.region(&l.continuing, depth, workgroup));
                    if let Some(condition) = l.break_if
                        && !self.shape(condition).is_uniform()
                    {
                        self.mask(l.target);
                    }
                    self.targets.pop();
                    left.retain(|&target| target != l.target);
                    depth += u32::from(!left.is_empty());
                    away.extend(left);
                }
                Node::Once { target, body } => {
                    self.target_depth[*target as usize] = depth;
                    self.targets.push(*target);
                    let workgroup = workgroup && node.has_barrier();
                    let mut left = self.region(body, depth, workgroup);
                    self.targets.pop();
                    left.retain(|t| t != target);
                    depth += u32::from(!left.is_empty());
                    away.extend(left);
                }
                Node::Break(target) | Node::Continue(target) => {
                    if depth > self.target_depth[*target as usize] {
                        // The lanes leave all targets from the innermost to this one.
                        for at in (0..self.targets.len()).rev() {
                            let inner = self.targets[at];
                            self.mask(inner);
                            if inner == *target {
                                break;
                            }
                        }
                        let rejoins = matches!(node, Node::Continue(_)) || !self.is_loop(*target);
                        if rejoins {
                            away.push(*target);
                        }
                    }
                }
                Node::Return => {
                    // Lanes that left a loop around this node wait at the loop's end.
                    let waiting =
                        self.targets.iter().any(|&target| self.result.masked[target as usize]);
                    if depth > 0 || waiting {
                        if !self.result.returns {
                            self.result.returns = true;
                            self.changed = true;
                        }
                        for at in 0..self.targets.len() {
                            self.mask(self.targets[at]);
                        }
                    }
                }
                Node::Gangs { body, .. } => {
                    self.region(body, depth, false);
                }
                Node::Barrier | Node::Prefetch(_) | Node::Versions(_) => {}
            }
        }
        away.dedup();
        away
    }

    fn is_loop(&self, target: Target) -> bool {
        let mut found = false;
        self.kernel.body.for_each(&mut |node| {
            found |= matches!(node, Node::Loop(l) if l.target == target);
        });
        found
    }

    fn mask(&mut self, target: Target) {
        if !self.result.masked[target as usize] {
            self.result.masked[target as usize] = true;
            self.changed = true;
        }
    }

    /// The shape of a variable after a store at this depth.
    fn stored(&self, var: Reg, value: Shape, depth: u32, workgroup: bool) -> Shape {
        let home = self.liveness.home.get(&var).copied().unwrap_or(0);
        if depth > self.depth[home as usize] {
            return VARYING;
        }
        // Lanes that have left such a loop must keep their value if it is live at the exit. A loop around
        // the home starts the variable anew.
        for &target in &self.targets {
            if self.result.masked[target as usize]
                && self.liveness.exit[target as usize].contains(&var)
            {
                return VARYING;
            }
        }
        match value.class {
            Class::Workgroup if !workgroup => Shape { class: Class::Gang, ..value },
            Class::Likely => VARYING,
            _ => value,
        }
    }

    fn op(&mut self, op: &Op, depth: u32, workgroup: bool) {
        match *op {
            Op::Unary { f: Unary::Copy, dst, a } if self.kernel.is_variable(dst) => {
                if self.kernel.array_of(dst).is_some() {
                    self.set(dst, VARYING);
                    return;
                }
                let value = self.shape(a);
                if value.class != Class::Unset {
                    let shape = self.stored(dst, value, depth, workgroup);
                    self.set(dst, shape);
                }
            }
            Op::Unary { f, dst, a } => {
                let shape = self.unary(f, a);
                self.define(dst, shape);
            }
            Op::Binary { f, dst, a, b } => {
                let shape = self.binary(f, a, b);
                self.define(dst, shape);
            }
            Op::Ternary { f, dst, a, b, c } => {
                let shape = self.ternary(f, a, b, c);
                self.define(dst, shape);
            }
            Op::Load(ref access) => {
                let mut shape = Shape::uniform(Class::Workgroup, 1);
                for reg in [access.address.outer, access.address.inner] {
                    if reg != NONE {
                        shape = plain(shape, self.shape(reg));
                    }
                }
                let constant = match access.address.memory {
                    Memory::Value(_) => true,
                    Memory::Storage(binding) => {
                        self.source.signature().bindings[binding].space == Space::StorageRead
                    }
                    Memory::Workgroup => false,
                };
                if !constant && shape.class == Class::Workgroup {
                    shape.class = Class::Gang;
                }
                for part in &access.parts {
                    self.define(part.reg, shape);
                }
            }
            Op::ArrayLength { dst, .. } => {
                self.define(dst, Shape::uniform(Class::Workgroup, 1));
            }
            Op::Index { .. } | Op::Pick { .. } => {
                let mut shape = Shape::uniform(Class::Workgroup, 1);
                op.clone().for_each_source(&mut |reg| shape = plain(shape, self.shape(*reg)));
                op.clone().for_each_result(&mut |reg| self.define(*reg, shape));
            }
            Op::Ballot { dst, .. } => {
                for reg in dst {
                    self.define(reg, Shape::uniform(Class::Gang, 1));
                }
            }
            Op::SubgroupFold(ref fold) if fold.collective == Collective::Reduce => {
                self.define(fold.dst, Shape::uniform(Class::Gang, 1));
            }
            Op::SubgroupGather { mode, dst, index, .. }
                if mode == Gather::First
                    || mode == Gather::Lane && self.shape(index).is_uniform() =>
            {
                self.define(dst, Shape::uniform(Class::Gang, 1));
            }
            _ => {
                op.clone().for_each_result(&mut |reg| self.define(*reg, VARYING));
                if let Some(Access::Set(var) | Access::Change(var)) = access(self.kernel, op) {
                    self.set(var, VARYING);
                }
            }
        }
    }

    fn unary(&self, f: Unary, a: Reg) -> Shape {
        let x = self.shape(a);
        if f == Unary::Copy {
            return x;
        }
        plain(Shape::uniform(Class::Workgroup, 1), x)
    }

    fn binary(&self, f: Binary, a: Reg, b: Reg) -> Shape {
        use Class::{Gang, Likely, Strided};
        let (x, y) = (self.shape(a), self.shape(b));
        let (known_a, known_b) = (self.kernel.known(a), self.kernel.known(b));
        let width = self.kernel.width;
        if x.class == Class::Unset || y.class == Class::Unset {
            return Shape { class: Class::Unset, align: 1 << 31 };
        }
        let (ux, uy) = (x.is_uniform(), y.is_uniform());
        let both = x.class.max(y.class);
        let product = |x: u32, y: u32| x.saturating_mul(y).min(1 << 31);
        let shape = |class: Class, align: u32| Shape { class, align };
        // Values step by one from lane to lane and start at a multiple of the width.
        let row = |s: Shape| s.class == Strided(1) && s.align >= width;
        match f {
            Binary::AddI | Binary::SubI => {
                let align = x.align.min(y.align);
                let sign = if f == Binary::AddI { 1 } else { -1 };
                match (x.class, y.class) {
                    _ if ux && uy => shape(both, align),
                    (Strided(k), _) if uy => shape(Strided(k), align),
                    (_, Strided(k)) if ux => shape(Strided(k * sign), align),
                    (Strided(j), Strided(k)) => match j.wrapping_add(k.wrapping_mul(sign)) {
                        0 => shape(Gang, align),
                        k => shape(Strided(k), align),
                    },
                    (Likely, _) if uy => shape(Likely, 1),
                    (_, Likely) if ux && sign == 1 => shape(Likely, 1),
                    _ => VARYING,
                }
            }
            Binary::MulI => match (x.class, y.class) {
                _ if ux && uy => shape(both, product(x.align, y.align)),
                (Strided(k), _) if known_b.is_some() => {
                    stride(k.wrapping_mul(known_b.unwrap_or(0) as i32), product(x.align, y.align))
                }
                (_, Strided(k)) if known_a.is_some() => {
                    stride(k.wrapping_mul(known_a.unwrap_or(0) as i32), product(x.align, y.align))
                }
                _ => VARYING,
            },
            Binary::Shl if known_b.is_some() => {
                let by = 1u32 << (known_b.unwrap_or(0) & 31);
                match x.class {
                    _ if ux => shape(both, product(x.align, by)),
                    Strided(k) => stride(k.wrapping_mul(by as i32), product(x.align, by)),
                    _ => VARYING,
                }
            }
            Binary::LtU | Binary::LtI if row(x) && uy && y.align >= width => shape(Gang, 1),
            Binary::LeU | Binary::LeI if ux && row(y) && x.align >= width => shape(Gang, 1),
            Binary::DivU if row(x) && known_b.is_some_and(|c| c > 0 && c % width == 0) => {
                shape(Gang, 1)
            }
            Binary::RemU if row(x) && known_b.is_some_and(|c| c > 0 && c % width == 0) => {
                shape(Strided(1), low_bit(width))
            }
            Binary::ShrU if row(x) && known_b.is_some_and(|c| 1 << (c & 31) >= width) => {
                shape(Gang, 1)
            }
            Binary::And if row(x) && known_b.is_some_and(|c| c & (width - 1) == width - 1) => {
                shape(Strided(1), low_bit(width))
            }
            Binary::And if row(x) && known_b.is_some_and(|c| c & (width - 1) == 0) => {
                shape(Gang, 1)
            }
            Binary::MinU | Binary::MaxU | Binary::MinI | Binary::MaxI => {
                let near = |class: Class| matches!(class, Strided(1) | Likely);
                if ux && uy {
                    shape(both, x.align.min(y.align))
                } else if near(x.class) && (uy || near(y.class)) || ux && near(y.class) {
                    shape(Likely, 1)
                } else {
                    VARYING
                }
            }
            _ => plain(plain(Shape::uniform(Class::Workgroup, 1), x), y),
        }
    }

    fn ternary(&self, f: Ternary, a: Reg, b: Reg, c: Reg) -> Shape {
        let (x, y, z) = (self.shape(a), self.shape(b), self.shape(c));
        if f == Ternary::Select {
            if x.class == Class::Unset || y.class == Class::Unset || z.class == Class::Unset {
                return Shape { class: Class::Unset, align: 1 << 31 };
            }
            let near = |class: Class| matches!(class, Class::Strided(1) | Class::Likely);
            if let (Class::Strided(j), Class::Strided(k), true) = (x.class, y.class, z.is_uniform())
                && j == k
            {
                return Shape { class: Class::Strided(j), align: x.align.min(y.align) };
            }
            if near(x.class) || near(y.class) {
                return Shape { class: Class::Likely, align: 1 };
            }
        }
        plain(plain(plain(Shape::uniform(Class::Workgroup, 1), x), y), z)
    }
}

/// The shape of stride `k`, which may be zero.
fn stride(k: i32, align: u32) -> Shape {
    let class = if k == 0 { Class::Gang } else { Class::Strided(k) };
    Shape { class, align }
}

/// The shape of an operation without a rule of its own: uniform if its operands are.
fn plain(so_far: Shape, operand: Shape) -> Shape {
    if so_far.class == Class::Unset || operand.class == Class::Unset {
        return Shape { class: Class::Unset, align: 1 << 31 };
    }
    if so_far.is_uniform() && operand.is_uniform() {
        return Shape { class: so_far.class.max(operand.class), align: 1 };
    }
    VARYING
}

/// Whether the workgroup must agree on a node's condition, since it contains a barrier or leaves a loop.
pub(in crate::cpu) fn wants_workgroup(node: &Node) -> bool {
    if node.has_barrier() {
        return true;
    }
    let mut inner = Vec::new();
    let mut leaves = false;
    collect_targets(node, &mut inner);
    visit(node, &mut |node| {
        leaves |= match node {
            Node::Break(t) | Node::Continue(t) => !inner.contains(t),
            _ => false,
        };
    });
    leaves
}

fn collect_targets(node: &Node, into: &mut Vec<Target>) {
    visit(node, &mut |node| match node {
        Node::Loop(l) => into.push(l.target),
        Node::Once { target, .. } => into.push(*target),
        _ => {}
    });
}

fn visit(node: &Node, f: &mut dyn FnMut(&Node)) {
    f(node);
    for region in node.regions() {
        region.for_each(f);
    }
}
