//! The program that a kernel compiles to: flat, typed planes and explicit masks.
//!
//! An operation works on planes, with one scalar for each lane of a batch. Every mask is a plane of its own, and
//! control flow is jumps over code that no lane would execute. In a finished [`Program`], registers are slots
//! below `slots`, labels are positions in `body`, a local index never points outside of its variable, and only
//! operations with a mask access memory or change anything but their destination.

use naga::Span;

pub(in crate::cpu) use super::address::{Address, Memory, NONE, OUTSIDE};
use super::functions::{Binary, Reg, Ternary, Unary};
use super::note::{Note, Site};
use crate::kernel::BindingId;

/// One scalar of a load or store.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Part {
    pub(in crate::cpu) reg: Reg,
    /// Bytes from the address.
    pub(in crate::cpu) offset: u32,
    /// Whether it is an f16, which takes two bytes in memory.
    pub(in crate::cpu) half: bool,
}

/// A load or a store of some scalars at one address.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Access {
    pub(in crate::cpu) address: Address,
    pub(in crate::cpu) parts: Vec<Part>,
    pub(in crate::cpu) mask: Reg,
}

/// The operation of an atomic on its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum AtomicFunction {
    Add,
    Subtract,
    And,
    Or,
    Xor,
    MinI,
    MaxI,
    MinU,
    MaxU,
    Exchange,
    CompareExchange,
}

/// A read-modify-write of one word.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Atomic {
    pub(in crate::cpu) function: AtomicFunction,
    pub(in crate::cpu) address: Address,
    pub(in crate::cpu) value: Reg,
    pub(in crate::cpu) compare: Reg,
    /// The old value.
    pub(in crate::cpu) dst: Reg,
    /// Whether a compare-exchange stored a value.
    pub(in crate::cpu) exchanged: Reg,
    pub(in crate::cpu) mask: Reg,
}

/// The lane of its subgroup from which a lane takes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Gather {
    First,
    /// The lane that the index names.
    Lane,
    Down,
    Up,
    Xor,
    QuadLane,
    /// The lane of the quad whose number differs in these bits.
    QuadSwap(u32),
}

/// The operation of a reduction or a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Collective {
    Reduce,
    Inclusive,
    Exclusive,
}

/// A reduction or a scan over the active lanes of each subgroup.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct SubgroupFold {
    pub(in crate::cpu) collective: Collective,
    pub(in crate::cpu) combine: Binary,
    /// An f16 is rounded after each step.
    pub(in crate::cpu) half: bool,
    pub(in crate::cpu) identity: u32,
    pub(in crate::cpu) dst: Reg,
    pub(in crate::cpu) src: Reg,
    pub(in crate::cpu) mask: Reg,
}

/// A position in the code: the number of a label during compilation, an index of an operation afterwards.
pub(in crate::cpu) type Label = u32;

/// One operation on planes.
#[derive(Debug, Clone)]
pub(in crate::cpu) enum Op {
    /// `dst = f(a)`, every lane.
    Unary {
        f: Unary,
        dst: Reg,
        a: Reg,
    },
    /// `dst = f(a, b)`, every lane.
    Binary {
        f: Binary,
        dst: Reg,
        a: Reg,
        b: Reg,
    },
    /// `dst = f(a, b, c)`, every lane.
    Ternary {
        f: Ternary,
        dst: Reg,
        a: Reg,
        b: Reg,
        c: Reg,
    },
    /// `dst = base + index * stride`, or [`OUTSIDE`] if the base is [`OUTSIDE`] or `index >= bound`.
    Index {
        dst: Reg,
        base: Reg,
        index: Reg,
        bound: u32,
        stride: u32,
    },
    /// For each lane, the plane of `planes` at the lane's index; zero if out of bounds.
    Pick {
        dst: Reg,
        planes: Box<[Reg]>,
        index: Reg,
    },
    /// Sets `var` to `src` in the lanes of the mask.
    Blend {
        var: Reg,
        src: Reg,
        mask: Reg,
    },
    /// Sets `count` planes from `var` on to zero, in every lane.
    Clear {
        var: Reg,
        count: u32,
    },
    /// Loads plane `var + index` of each lane; zero if out of bounds.
    LocalLoad {
        dst: Reg,
        var: Reg,
        index: Reg,
    },
    /// Stores to plane `var + index` in the lanes of the mask, if in bounds.
    LocalStore {
        var: Reg,
        index: Reg,
        src: Reg,
        mask: Reg,
    },
    /// Loads from memory to planes; zero if out of bounds or masked off.
    Load(Box<Access>),
    /// Stores from planes to memory, in the lanes of the mask, if in bounds.
    Store(Box<Access>),
    /// A read-modify-write, lane after lane.
    Atomic(Box<Atomic>),
    /// The number of elements of a storage binding's runtime-sized array, in every lane.
    ArrayLength {
        dst: Reg,
        binding: BindingId,
    },
    /// Makes earlier writes visible before later ones, to every thread.
    Fence,
    /// The lanes of each subgroup with a true predicate, as a bit mask of four words.
    Ballot {
        dst: [Reg; 4],
        predicate: Reg,
        mask: Reg,
    },
    /// Another lane's value; zero from a lane that is not active.
    SubgroupGather {
        mode: Gather,
        dst: Reg,
        src: Reg,
        index: Reg,
        mask: Reg,
    },
    SubgroupFold(Box<SubgroupFold>),
    /// Counts an iteration for the lanes of the mask, and halts if one exceeds the budget.
    Iterate {
        counter: u32,
        mask: Reg,
    },
    Jump {
        to: Label,
    },
    /// Jumps when no lane of the mask is set.
    JumpIfNone {
        mask: Reg,
        to: Label,
    },
    /// The next event of the lanes of a mask. Only in a watched program.
    Note(Box<Note>),
    /// Only during compilation.
    Label(Label),
}

/// A value that the machine sets before the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::cpu) enum Builtin {
    /// Coordinate of the lane in its workgroup.
    LocalId(u8),
    LocalIndex,
    WorkgroupId(u8),
    GlobalId(u8),
    NumWorkgroups(u8),
    NumSubgroups,
    SubgroupId,
    SubgroupSize,
    SubgroupInvocationId,
    /// All ones in the lanes of the batch that stand for an invocation.
    Active,
}

/// A compiled kernel.
#[derive(Debug)]
pub(crate) struct Program {
    /// Operations that do not depend on the invocation, run once for each thread and chunk.
    pub(in crate::cpu) preamble: Vec<Op>,
    /// Run for each batch of workgroups.
    pub(in crate::cpu) body: Vec<Op>,
    pub(in crate::cpu) constants: Vec<(Reg, u32)>,
    pub(in crate::cpu) builtins: Vec<(Reg, Builtin)>,
    /// Planes of the register file.
    pub(in crate::cpu) slots: u32,
    /// Scalars of workgroup memory.
    pub(in crate::cpu) workgroup_words: usize,
    pub(in crate::cpu) workgroup_size: [u32; 3],
    pub(in crate::cpu) subgroup_size: u32,
    /// Workgroups that run in lockstep with each other.
    pub(in crate::cpu) pack: u32,
    /// The source of each loop that has a budget.
    pub(in crate::cpu) loops: Vec<Span>,
    /// The places that notes refer to; empty in a program that is not watched.
    pub(in crate::cpu) sites: Vec<Site>,
}

impl Program {
    /// Invocations of one workgroup.
    pub(in crate::cpu) fn invocations(&self) -> u32 {
        self.workgroup_size.iter().product()
    }

    /// Lanes that run in lockstep.
    pub(in crate::cpu) fn lanes(&self) -> u32 {
        self.invocations() * self.pack
    }
}

impl Op {
    /// Calls `visit` for every register that the operation reads.
    pub(in crate::cpu) fn for_each_source(&mut self, visit: &mut dyn FnMut(&mut Reg)) {
        let mut go = |reg: &mut Reg| {
            if *reg != NONE {
                visit(reg);
            }
        };
        match self {
            Op::Unary { a, .. } => go(a),
            Op::Binary { a, b, .. } => {
                go(a);
                go(b);
            }
            Op::Ternary { a, b, c, .. } => {
                go(a);
                go(b);
                go(c);
            }
            Op::Index { base, index, .. } => {
                go(base);
                go(index);
            }
            Op::Pick { planes, index, .. } => {
                planes.iter_mut().for_each(&mut go);
                go(index);
            }
            Op::Blend { src, mask, .. } => {
                go(src);
                go(mask);
            }
            Op::LocalLoad { index, .. } => go(index),
            Op::LocalStore { index, src, mask, .. } => {
                go(index);
                go(src);
                go(mask);
            }
            Op::Load(access) => {
                go(&mut access.address.outer);
                go(&mut access.address.inner);
                go(&mut access.mask);
            }
            Op::Store(access) => {
                go(&mut access.address.outer);
                go(&mut access.address.inner);
                access.parts.iter_mut().for_each(|part| go(&mut part.reg));
                go(&mut access.mask);
            }
            Op::Atomic(atomic) => {
                go(&mut atomic.address.outer);
                go(&mut atomic.address.inner);
                go(&mut atomic.value);
                go(&mut atomic.compare);
                go(&mut atomic.mask);
            }
            Op::Ballot { predicate, mask, .. } => {
                go(predicate);
                go(mask);
            }
            Op::SubgroupGather { src, index, mask, .. } => {
                go(src);
                go(index);
                go(mask);
            }
            Op::SubgroupFold(fold) => {
                go(&mut fold.src);
                go(&mut fold.mask);
            }
            Op::Iterate { mask, .. } | Op::JumpIfNone { mask, .. } => go(mask),
            Op::Note(note) => note.for_each_source(&mut go),
            Op::Clear { .. }
            | Op::ArrayLength { .. }
            | Op::Fence
            | Op::Jump { .. }
            | Op::Label(_) => {}
        }
    }

    /// Calls `visit` for every register that the operation writes whole.
    pub(in crate::cpu) fn for_each_result(&mut self, visit: &mut dyn FnMut(&mut Reg)) {
        let mut go = |reg: &mut Reg| {
            if *reg != NONE {
                visit(reg);
            }
        };
        match self {
            Op::Unary { dst, .. }
            | Op::Binary { dst, .. }
            | Op::Ternary { dst, .. }
            | Op::Index { dst, .. }
            | Op::Pick { dst, .. }
            | Op::LocalLoad { dst, .. }
            | Op::ArrayLength { dst, .. }
            | Op::SubgroupGather { dst, .. } => go(dst),
            Op::Load(access) => access.parts.iter_mut().for_each(|part| go(&mut part.reg)),
            Op::Atomic(atomic) => {
                go(&mut atomic.dst);
                go(&mut atomic.exchanged);
            }
            Op::Ballot { dst, .. } => dst.iter_mut().for_each(go),
            Op::SubgroupFold(fold) => go(&mut fold.dst),
            Op::Blend { .. }
            | Op::Clear { .. }
            | Op::LocalStore { .. }
            | Op::Store(_)
            | Op::Fence
            | Op::Iterate { .. }
            | Op::Jump { .. }
            | Op::JumpIfNone { .. }
            | Op::Note(_)
            | Op::Label(_) => {}
        }
    }

    /// Calls `visit` for the first plane of every variable that the operation works in.
    pub(in crate::cpu) fn for_each_variable(&mut self, visit: &mut dyn FnMut(&mut Reg)) {
        match self {
            Op::Blend { var, .. }
            | Op::Clear { var, .. }
            | Op::LocalLoad { var, .. }
            | Op::LocalStore { var, .. } => visit(var),
            Op::Note(note) => note.for_each_variable(visit),
            _ => {}
        }
    }

    /// Whether the operation only sets its results, from its sources alone.
    pub(in crate::cpu) fn is_pure(&self) -> bool {
        matches!(
            self,
            Op::Unary { .. }
                | Op::Binary { .. }
                | Op::Ternary { .. }
                | Op::Index { .. }
                | Op::Pick { .. }
                | Op::ArrayLength { .. }
        )
    }

    /// Whether the operation is dead when its results are unused.
    pub(in crate::cpu) fn only_computes(&self) -> bool {
        self.is_pure()
            || matches!(self, Op::LocalLoad { .. } | Op::Load(_))
            || matches!(self, Op::SubgroupGather { .. } | Op::SubgroupFold(_) | Op::Ballot { .. })
    }
}
