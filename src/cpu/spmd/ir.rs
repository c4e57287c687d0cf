//! The SPMD form of a kernel: scalar operations in structured control flow, for one lane of many.
//!
//! The operations are those of the interpreter's front end, so one lowering of expressions gives every
//! engine the same meaning and the same bits. Only control flow differs: it stays structured. A register
//! that is not a variable is set once, before every use. Masks are not part of the form: the lanes that
//! reach a node execute it, and a back end keeps the mask.

use std::collections::{HashMap, HashSet};

use super::wide::Facts;
use crate::cpu::interpreter::bytecode::{Address, Builtin, Op};
use crate::cpu::interpreter::class::Class;
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::interpreter::shape::Kind;

/// A loop or a switch that can be left.
pub(in crate::cpu) type Target = u32;

/// Nodes that are executed in sequence.
#[derive(Debug, Clone, Default)]
pub(in crate::cpu) struct Region {
    /// The region's number, unique in the kernel. Analyses key facts on it.
    pub(in crate::cpu) id: u32,
    pub(in crate::cpu) nodes: Vec<Node>,
}

/// A step of the program.
#[derive(Debug, Clone)]
pub(in crate::cpu) enum Node {
    Op(Op),
    If {
        condition: Reg,
        accept: Region,
        reject: Region,
    },
    Loop(Box<Loop>),
    /// A switch: a region that `Break` leaves.
    Once {
        target: Target,
        body: Region,
    },
    Break(Target),
    Continue(Target),
    Return,
    /// A workgroup barrier: every invocation arrives before one goes on.
    Barrier,
    /// A load from an address that is the same for the workgroup. It stands between barriers.
    UniformLoad(Op),
    /// Executed by the gangs of a workgroup, one after the other. A kernel has at least one such node,
    /// and they do not nest. Nodes outside of them are executed once for the workgroup. With `most`, only
    /// the first `most` gangs execute it.
    Gangs {
        body: Region,
        most: Option<u32>,
    },
    /// A prefetch of a later load. The address may be outside of every binding.
    Prefetch(Box<Address>),
    /// Two versions of a region, on the workgroup's level. If the facts hold, `inner` is executed, which
    /// lacks the guards that the facts imply.
    Versions(Box<Versions>),
}

/// One `Gangs` region in two versions.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Versions {
    pub(in crate::cpu) facts: Facts,
    pub(in crate::cpu) inner: Region,
    pub(in crate::cpu) edge: Region,
}

/// A loop. Lanes that continue meet at `continuing`.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Loop {
    pub(in crate::cpu) target: Target,
    pub(in crate::cpu) body: Region,
    pub(in crate::cpu) continuing: Region,
    /// Evaluated after `continuing`: lanes in which it is true leave the loop.
    pub(in crate::cpu) break_if: Option<Reg>,
    /// Whether the loop is known to end.
    pub(in crate::cpu) finite: bool,
    /// Its place in the text.
    pub(in crate::cpu) span: naga::Span,
}

/// A variable that is indexed at run time: consecutive planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) struct Array {
    pub(in crate::cpu) first: Reg,
    pub(in crate::cpu) count: u32,
}

/// A kernel in SPMD form.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Kernel {
    /// Lanes of a gang. If the kernel uses subgroups, the size of a subgroup.
    pub(in crate::cpu) width: u32,
    /// The size of the workgroup that is executed, after packing.
    pub(in crate::cpu) workgroup_size: [u32; 3],
    /// The number of the launch's workgroups that are packed into one: neighbours along x.
    pub(in crate::cpu) packed: u32,
    /// Whether invocations can neither see which workgroup they are in nor wait for another one.
    pub(in crate::cpu) anonymous: bool,
    /// Whether the kernel uses subgroups.
    pub(in crate::cpu) subgroups: bool,
    /// Operations whose results are the same for the whole launch.
    pub(in crate::cpu) preamble: Vec<Op>,
    pub(in crate::cpu) body: Region,
    /// Exclusive upper bounds of the numbers of regions and of targets.
    pub(in crate::cpu) regions: u32,
    pub(in crate::cpu) targets: u32,
    pub(in crate::cpu) classes: Vec<Class>,
    pub(in crate::cpu) builtins: HashMap<Reg, Builtin>,
    /// The scalar type of each plane of a variable.
    pub(in crate::cpu) planes: HashMap<Reg, Kind>,
    pub(in crate::cpu) arrays: Vec<Array>,
    pub(in crate::cpu) workgroup_words: u64,
    pub(in crate::cpu) storage_atomics: bool,
    /// Indices that are in bounds wherever they are used: outer indices of storage, and indices of
    /// `Index` operations.
    pub(in crate::cpu) inside: HashSet<Reg>,
}

impl Kernel {
    /// Invocations of one of the launch's workgroups along an axis.
    pub(in crate::cpu) fn extent(&self, axis: u8) -> u32 {
        let size = self.workgroup_size[usize::from(axis)];
        if axis == 0 { size / self.packed } else { size }
    }

    /// Gangs of one packed workgroup.
    pub(in crate::cpu) fn gangs(&self) -> u64 {
        let invocations: u64 = self.workgroup_size.iter().map(|&n| u64::from(n)).product();
        invocations.div_ceil(u64::from(self.width))
    }

    /// The array that a plane belongs to.
    pub(in crate::cpu) fn array_of(&self, plane: Reg) -> Option<Array> {
        self.arrays.iter().copied().find(|a| (a.first..a.first + a.count).contains(&plane))
    }

    /// Whether the register is a plane of a variable.
    pub(in crate::cpu) fn is_variable(&self, reg: Reg) -> bool {
        matches!(self.classes[reg as usize], Class::Variable(_))
    }

    /// Whether values have to outlive a loop over gangs, since several such loops follow each other.
    pub(in crate::cpu) fn is_split(&self) -> bool {
        let gangs = |region: &Region| matches!(region.nodes[..], [Node::Gangs { .. }]);
        match &self.body.nodes[..] {
            [Node::Versions(versions)] => !gangs(&versions.inner) || !gangs(&versions.edge),
            _ => !gangs(&self.body),
        }
    }

    /// The value of a constant.
    pub(in crate::cpu) fn known(&self, reg: Reg) -> Option<u32> {
        match self.classes[reg as usize] {
            Class::Constant(value) => Some(value),
            _ => None,
        }
    }
}

impl Region {
    /// Calls `visit` for every node, outer ones first.
    pub(in crate::cpu) fn for_each(&self, visit: &mut dyn FnMut(&Node)) {
        for node in &self.nodes {
            visit(node);
            for inner in node.regions() {
                inner.for_each(visit);
            }
        }
    }

    /// Whether it contains a barrier at any depth.
    pub(in crate::cpu) fn has_barrier(&self) -> bool {
        let mut found = false;
        self.for_each(&mut |node| {
            found |= matches!(node, Node::Barrier | Node::UniformLoad(_));
        });
        found
    }
}

impl Node {
    /// The regions directly inside, in text order.
    pub(in crate::cpu) fn regions(&self) -> Vec<&Region> {
        match self {
            Node::If { accept, reject, .. } => vec![accept, reject],
            Node::Loop(l) => vec![&l.body, &l.continuing],
            Node::Once { body, .. } | Node::Gangs { body, .. } => vec![body],
            Node::Versions(versions) => vec![&versions.inner, &versions.edge],
            _ => Vec::new(),
        }
    }

    /// The regions directly inside, in text order.
    pub(in crate::cpu) fn regions_mut(&mut self) -> Vec<&mut Region> {
        match self {
            Node::If { accept, reject, .. } => vec![accept, reject],
            Node::Loop(l) => vec![&mut l.body, &mut l.continuing],
            Node::Once { body, .. } | Node::Gangs { body, .. } => vec![body],
            Node::Versions(versions) => vec![&mut versions.inner, &mut versions.edge],
            _ => Vec::new(),
        }
    }

    /// Whether it is or contains a barrier.
    pub(in crate::cpu) fn has_barrier(&self) -> bool {
        matches!(self, Node::Barrier | Node::UniformLoad(_))
            || self.regions().into_iter().any(Region::has_barrier)
    }
}
