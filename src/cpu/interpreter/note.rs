//! What a program that is watched says of itself while it runs: notes for `check`.
//!
//! A kernel that is compiled to be watched has, beside its operations, notes: which indices are
//! about to be used, what memory is about to be touched, where a barrier is. The machine hands
//! each to the probe together with the planes. Other programs have none, and pay nothing.
//! What always holds: a note comes before the operation that it is about, and has its mask.

use std::collections::HashMap;

use naga::{Expression, Handle, Span};

use super::bytecode::{Address, NONE, Op};
use super::compile::{Class, Compiler, Entry, Scope, Value};
use super::functions::{Reg, Unary};
use super::places::{Place, Root};
use super::probe::Touch;
use super::shape::{Kind, Shape};
use crate::error::Result;
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
    unset: HashMap<Reg, String>,
}

impl Watch {
    pub(in crate::cpu) fn new(lints: bool) -> Watch {
        Watch { lints, ..Watch::default() }
    }

    fn site(&mut self, span: Span, touch: Touch) -> SiteId {
        let range = span.to_range().unwrap_or_default();
        let key = (range.start as u32, range.end as u32, touch as u8);
        *self.known.entry(key).or_insert_with(|| {
            self.sites.push(Site { span, touch });
            (self.sites.len() - 1) as SiteId
        })
    }
}

impl Compiler<'_> {
    fn lints(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| watch.lints)
    }

    /// Appends a note about what `span`, in a watched program, does next.
    pub(super) fn note(&mut self, span: Span, touch: Touch, fact: Fact) {
        let mask = self.exec;
        if let Some(watch) = &mut self.watch {
            let site = watch.site(span, touch);
            self.push(Op::Note(Box::new(Note { mask, site, fact })));
        }
    }

    /// Remembers that a variable has no value of its own to begin with.
    pub(super) fn note_unset(&mut self, var: Reg, name: Option<&str>) {
        if let Some(watch) = &mut self.watch {
            watch.unset.insert(var, name.unwrap_or("a variable").to_owned());
        }
    }

    /// The steps of a pointer to a whole variable.
    pub(super) fn first_step(&self, name: Option<&str>) -> Vec<Step> {
        match &self.watch {
            Some(_) => vec![Step::Name(name.unwrap_or("a variable").to_owned())],
            None => Vec::new(),
        }
    }

    /// An index as it is now, whatever becomes of the variable that it was read from.
    pub(super) fn kept(&mut self, reg: Reg) -> Reg {
        if !matches!(self.classes[reg as usize], Class::Variable(_)) {
            return reg;
        }
        let dst = self.register(Class::Temporary);
        self.push(Op::Unary { f: Unary::Copy, dst, a: reg });
        dst
    }

    /// Notes that a place is about to be touched.
    pub(super) fn note_touch(&mut self, place: &Place, touch: Touch) -> Result<()> {
        if self.watch.is_none() {
            return Ok(());
        }
        let span = self.span;
        if !place.checked.is_empty() {
            let fact = Fact::Indices { steps: place.steps.clone(), checked: place.checked.clone() };
            self.note(span, touch, fact);
        }
        let lints = self.lints();
        match place.root {
            Root::Value(_) => {}
            Root::Local(base) => {
                let unset = self.watch.as_ref().and_then(|watch| watch.unset.get(&base)).cloned();
                if let (true, Some(name)) = (lints, unset) {
                    let var = base + place.first_plane();
                    let count = self.flat(place.shape)? as u32;
                    let index = place.inner_index().unwrap_or(NONE);
                    let fact = if touch == Touch::Read {
                        Fact::LocalRead { var, count, index, name }
                    } else {
                        Fact::LocalWrite { var, count, index }
                    };
                    self.note(span, touch, fact);
                }
            }
            Root::Workgroup | Root::Storage(_) => {
                let address = self.address(place)?;
                let parts = self
                    .parts(place)?
                    .into_iter()
                    .map(|(offset, kind)| {
                        let half = kind == Kind::F16 && place.root != Root::Workgroup;
                        (offset, if half { 2 } else { 4 })
                    })
                    .collect();
                let atomic = self.is_atomic(place);
                self.note(span, touch, Fact::Access { address, parts, touch, atomic });
            }
        }
        Ok(())
    }

    /// Notes an index into a value.
    pub(super) fn note_pick(
        &mut self,
        base: Handle<Expression>,
        index: Reg,
        signed: bool,
        count: u32,
    ) {
        if self.watch.is_none() || self.known(index).is_some_and(|known| known < count) {
            return;
        }
        let text = self.expression_span(Scope::Function, base).to_range();
        let text = text.and_then(|range| self.kernel.text().get(range)).unwrap_or_default();
        let name = if text.is_empty() || text.len() > 40 || text.contains('\n') {
            "a value"
        } else {
            text
        };
        let steps = vec![Step::Name(name.to_owned()), Step::Index { reg: index, signed }];
        let checked = vec![Checked { step: 1, extent: Extent::Fixed(count) }];
        self.note(self.span, Touch::Read, Fact::Indices { steps, checked });
    }

    /// Notes, for the lint, what an expression of floats was computed from.
    pub(super) fn note_computed(
        &mut self,
        handle: Handle<Expression>,
        entry: &Entry,
    ) -> Result<()> {
        use Expression as E;
        if !self.lints() {
            return Ok(());
        }
        let Entry::Value(results) = entry else { return Ok(()) };
        let expression = self.expression(Scope::Function, handle);
        let operands: Vec<Handle<Expression>> = match *expression {
            E::Binary { left, right, .. } => vec![left, right],
            E::Unary { expr, .. } => vec![expr],
            E::As { expr, convert: Some(_), .. } => vec![expr],
            E::Math { arg, arg1, arg2, arg3, .. } => {
                [Some(arg), arg1, arg2, arg3].into_iter().flatten().collect()
            }
            _ => return Ok(()),
        };
        let shape = self.info[handle].ty.inner_with(&self.module.types).scalar();
        if !shape.and_then(Kind::of).is_some_and(Kind::is_float) {
            return Ok(());
        }
        let mut from = Vec::new();
        for operand in operands {
            if let Ok(kind) = self.kind(Scope::Function, operand)
                && kind.is_float()
            {
                from.extend_from_slice(&self.ready_value(Scope::Function, operand)?);
            }
        }
        let fact = Fact::Computed { results: results.to_vec(), operands: from };
        self.note(self.span, Touch::Read, fact);
        Ok(())
    }

    /// Notes, for the lint, the arithmetic that made an index.
    pub(super) fn note_made(&mut self, index: Handle<Expression>) -> Result<()> {
        use naga::BinaryOperator as B;
        if !self.lints() {
            return Ok(());
        }
        let mut stack = vec![index];
        // An index is short; what is longer is not followed to its end.
        let mut steps = 0;
        while let Some(handle) = stack.pop() {
            steps += 1;
            if steps > 64 {
                break;
            }
            match *self.expression(Scope::Function, handle) {
                Expression::As { expr, .. } => stack.push(expr),
                Expression::Binary { op, left, right } => {
                    let operation = match op {
                        B::Add => Wrapping::Add,
                        B::Subtract => Wrapping::Subtract,
                        B::Multiply => Wrapping::Multiply,
                        _ => continue,
                    };
                    let (Ok(kind), Ok(a), Ok(b)) = (
                        self.kind(Scope::Function, left),
                        self.ready_value(Scope::Function, left),
                        self.ready_value(Scope::Function, right),
                    ) else {
                        continue;
                    };
                    if let ([a], [b]) = (&a[..], &b[..])
                        && !kind.is_float()
                    {
                        let span = self.expression_span(Scope::Function, handle);
                        let signed = kind == Kind::I32;
                        let fact = Fact::Made { operation, a: *a, b: *b, signed };
                        self.note(span, Touch::Read, fact);
                        stack.extend([left, right]);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The element count of a value that is indexed.
    pub(super) fn value_count(&self, value: &Value, shape: Shape) -> u32 {
        let elements = self.shapes.elements(shape, super::shape::Measure::Flat);
        let stride = elements.map_or(1, |elements| elements.stride.max(1));
        (value.len() as u64 / stride) as u32
    }
}
