//! What a program that is watched says of itself while it runs: notes for `check`.
//!
//! A kernel that is compiled to be watched has, beside its operations, notes: which indices are
//! about to be used, what memory is about to be touched, where a barrier is. The machine hands
//! each to the probe together with the planes. Other programs have none, and pay nothing.
//! What always holds: a note comes before the operation that it is about, and has its mask.

use std::collections::HashMap;

use naga::Span;

use super::address::Address;
use super::functions::Reg;
use super::touch::Touch;
use crate::kernel::BindingId;

/// A place in the text that does something, by its position in `Program::sites`.
pub(in crate::cpu) type SiteId = u32;

/// A place in the text, and what it does there.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Site {
    pub(in crate::cpu) span: Span,
    pub(in crate::cpu) touch: Touch,
}

/// A piece of what a pointer expression says, for messages.
#[derive(Debug, Clone)]
pub(in crate::cpu) enum Step {
    Name(String),
    Member(String),
    Constant(u32),
    Index { reg: Reg, signed: bool },
}

/// How many elements there are to index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Extent {
    Fixed(u32),
    /// As many as the buffer holds.
    Elements(BindingId),
}

/// An index of a place that was not known to be inside: its step, and the limit.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Checked {
    pub(in crate::cpu) step: usize,
    pub(in crate::cpu) extent: Extent,
}

/// An integer operation that may wrap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Wrapping {
    Add,
    Subtract,
    Multiply,
}

#[derive(Debug, Clone)]
pub(in crate::cpu) enum Fact {
    /// A place is about to be used; these of its steps are run-time indices.
    Indices { steps: Vec<Step>, checked: Vec<Checked> },
    /// Memory is about to be touched: bytes from the address, and how many.
    Access {
        address: Address,
        parts: Vec<(u32, u8)>,
        touch: Touch,
        /// By an atomic operation, a load or a store too. Those race with nothing: the memory of
        /// an atomic can't be touched in another way.
        atomic: bool,
    },
    /// All invocations of a workgroup must meet here.
    Barrier {
        /// Accesses to workgroup memory before are seen after.
        workgroup: bool,
        /// The same for storage.
        storage: bool,
        /// Whether to tell when some are missing: not for the second of two in one.
        meeting: bool,
    },
    /// All invocations of a subgroup must reach this place together.
    Subgroup,
    /// The invocations return.
    Leave,
    /// A variable of the invocation that begins with zeros is read: planes from `var + index` on.
    LocalRead { var: Reg, count: u32, index: Reg, name: String },
    /// The same, written.
    LocalWrite { var: Reg, count: u32, index: Reg },
    /// These floats were computed from those.
    Computed { results: Vec<Reg>, operands: Vec<Reg> },
    /// This operation made an index that is about to be used.
    Made { operation: Wrapping, a: Reg, b: Reg, signed: bool },
}

/// Something that the lanes of a mask do next.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Note {
    pub(in crate::cpu) mask: Reg,
    pub(in crate::cpu) site: SiteId,
    pub(in crate::cpu) fact: Fact,
}

impl Note {
    pub(super) fn for_each_source(&mut self, go: &mut dyn FnMut(&mut Reg)) {
        go(&mut self.mask);
        match &mut self.fact {
            Fact::Indices { steps, .. } => {
                for step in steps {
                    if let Step::Index { reg, .. } = step {
                        go(reg);
                    }
                }
            }
            Fact::Access { address, .. } => {
                go(&mut address.outer);
                go(&mut address.inner);
            }
            Fact::LocalRead { index, .. } | Fact::LocalWrite { index, .. } => go(index),
            Fact::Computed { results, operands, .. } => {
                results.iter_mut().for_each(&mut *go);
                operands.iter_mut().for_each(go);
            }
            Fact::Made { a, b, .. } => {
                go(a);
                go(b);
            }
            Fact::Barrier { .. } | Fact::Subgroup | Fact::Leave => {}
        }
    }

    pub(super) fn for_each_variable(&mut self, visit: &mut dyn FnMut(&mut Reg)) {
        if let Fact::LocalRead { var, .. } | Fact::LocalWrite { var, .. } = &mut self.fact {
            visit(var);
        }
    }
}

/// What a compiler of a watched program keeps.
#[derive(Debug, Default)]
pub(in crate::cpu) struct Watch {
    pub(in crate::cpu) lints: bool,
    pub(in crate::cpu) sites: Vec<Site>,
    known: HashMap<(u32, u32, u8), SiteId>,
    /// Variables that begin with zeros because the text gives them no value.
    pub(super) unset: HashMap<Reg, String>,
}

impl Watch {
    pub(in crate::cpu) fn new(lints: bool) -> Watch {
        Watch { lints, ..Watch::default() }
    }

    pub(super) fn site(&mut self, span: Span, touch: Touch) -> SiteId {
        let range = span.to_range().unwrap_or_default();
        let key = (range.start as u32, range.end as u32, touch as u8);
        *self.known.entry(key).or_insert_with(|| {
            self.sites.push(Site { span, touch });
            (self.sites.len() - 1) as SiteId
        })
    }
}
