//! Notes for `check`: the events that a watched program reports while it runs.
//!
//! A kernel that is compiled to be watched has notes beside its operations. They say which indices are about to
//! be used, which memory is about to be accessed, and where a barrier is. The machine passes each note to the
//! probe with the planes. Other programs have no notes, at no cost. A note comes before its operation, and has
//! its mask.

use std::collections::HashMap;

use naga::Span;

use super::address::Address;
use super::functions::Reg;
use super::touch::Touch;
use crate::kernel::BindingId;

/// A site, as its position in `Program::sites`.
pub(in crate::cpu) type SiteId = u32;

/// A place in the text, and the kind of its access.
#[derive(Debug, Clone, Copy)]
pub(in crate::cpu) struct Site {
    pub(in crate::cpu) span: Span,
    pub(in crate::cpu) touch: Touch,
}

/// A part of a pointer expression in the text, for messages.
#[derive(Debug, Clone)]
pub(in crate::cpu) enum Step {
    Name(String),
    Member(String),
    Constant(u32),
    Index { reg: Reg, signed: bool },
}

/// The number of elements of an indexed object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Extent {
    Fixed(u32),
    /// The number of elements of the buffer.
    Elements(BindingId),
}

/// An index that was not proved to be in bounds: its step, and the limit.
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
    /// A place is about to be used. The `checked` steps are run-time indices.
    Indices { steps: Vec<Step>, checked: Vec<Checked> },
    /// Memory is about to be accessed. A part is an offset from the address, and a number of bytes.
    Access {
        address: Address,
        parts: Vec<(u32, u8)>,
        touch: Touch,
        /// Whether the memory is an atomic, for loads and stores too. Atomics never race, since their memory has
        /// no other accesses.
        atomic: bool,
    },
    /// All invocations of a workgroup must meet here.
    Barrier {
        /// Orders accesses to workgroup memory.
        workgroup: bool,
        /// Orders accesses to storage.
        storage: bool,
        /// Whether to report missing invocations: not for the second barrier of a `workgroupUniformLoad`, nor
        /// for one of a subgroup.
        meeting: bool,
    },
    /// All invocations of a subgroup must reach this place together.
    Subgroup,
    /// The invocations return.
    Leave,
    /// A variable of the invocation without an initial value is read: `count` planes from `var + index` on.
    LocalRead { var: Reg, count: u32, index: Reg, name: String },
    /// Such a variable is written.
    LocalWrite { var: Reg, count: u32, index: Reg },
    /// The results, which are floats, were computed from the operands.
    Computed { results: Vec<Reg>, operands: Vec<Reg> },
    /// This operation computed an index that is about to be used.
    Made { operation: Wrapping, a: Reg, b: Reg, signed: bool },
}

/// The next event of the lanes of a mask.
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

/// The compiler's state for a watched program.
#[derive(Debug, Default)]
pub(in crate::cpu) struct Watch {
    pub(in crate::cpu) lints: bool,
    pub(in crate::cpu) sites: Vec<Site>,
    known: HashMap<(u32, u32, u8), SiteId>,
    /// Variables that are zero because the text gives them no initial value, with their names.
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
