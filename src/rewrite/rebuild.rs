//! The rebuilt function: one walk over the old body, in order.
//!
//! Each old expression is mapped where the old body emits it, so the order of evaluation stays, and
//! new expressions are emitted with it. Expressions without references are dropped. Every new
//! expression and statement has the span of the one that it stands for.
//!
//! The walk recurses over nested blocks, whose depth `kernel::normalise` bounds.

use naga::valid::FunctionInfo;
use naga::{
    ArraySize, AtomicFunction, BinaryOperator, Block, Expression, Function, Handle, LocalVariable,
    Range, Span, Statement, SwitchCase, Type, TypeInner,
};

use super::bindings::Bindings;
use super::bounds::{is_signed, upper_bound};
use super::budget::{Budget, Probe, is_finite};
use super::builder::Builder;
use super::guard::{self, BoxLimit, Limit, Place};
use super::params::Word;
use super::prelude;
use super::rewritten::internal;
use crate::error::Result;
use crate::kernel::{Kernel, expression_operands, statement_operands, statement_result};

/// The new form of an old expression.
#[derive(Debug, Clone, Copy)]
enum Mapped {
    Value(Handle<Expression>),
    Place(Place),
}

pub(super) struct Rebuild<'a> {
    kernel: &'a Kernel,
    old: &'a Function,
    info: &'a FunctionInfo,
    bindings: &'a Bindings,
    block: &'a prelude::Block,
    finite_loops: &'a [bool],
    budget: Option<Budget>,
    probe: Option<Probe>,
    loops: usize,
    map: Vec<Option<Mapped>>,
    pub(super) out: Builder,
}

impl<'a> Rebuild<'a> {
    pub(super) fn new(
        kernel: &'a Kernel,
        bindings: &'a Bindings,
        block: &'a prelude::Block,
        finite_loops: &'a [bool],
        (budget, probe): (Option<Budget>, Option<Probe>),
        out: Builder,
    ) -> Self {
        let old = &kernel.entry_point().function;
        let info = kernel.info().get_entry_point(0);
        let map = vec![None; old.expressions.len()];
        Rebuild {
            kernel,
            old,
            info,
            bindings,
            block,
            finite_loops,
            budget,
            probe,
            loops: 0,
            map,
            out,
        }
    }

    /// Copies the old locals and all expressions that exist before the body begins, except for
    /// function arguments. The user's own immediate is built here.
    pub(super) fn leaves(&mut self) -> Result<()> {
        let mut locals = Vec::new();
        for (handle, local) in self.old.local_variables.iter() {
            let init = local.init.map(|init| self.constant(init));
            let copy = LocalVariable { init, ..local.clone() };
            locals.push(self.out.declare(copy, self.old.local_variables.get_span(handle)));
        }
        let mut immediate = None;
        for (handle, expression) in self.old.expressions.iter() {
            let span = self.old.expressions.get_span(handle);
            let pointer = match *expression {
                _ if self.info[handle].ref_count == 0 => continue,
                Expression::Literal(_) | Expression::Constant(_) | Expression::ZeroValue(_) => {
                    let value = self.out.leaf(expression.clone(), span);
                    self.map[handle.index()] = Some(Mapped::Value(value));
                    continue;
                }
                Expression::LocalVariable(local) => locals[local.index()],
                Expression::GlobalVariable(global) => {
                    let variable = &self.kernel.module().global_variables[global];
                    if variable.space == naga::AddressSpace::Immediate {
                        match immediate {
                            Some(known) => known,
                            None => {
                                let value = self.block.user(variable.ty, 0, &mut self.out)?;
                                let local = self.out.local("immediate", variable.ty, None);
                                self.out.store(local, value, span);
                                *immediate.insert(local)
                            }
                        }
                    } else {
                        self.out.leaf(expression.clone(), span)
                    }
                }
                _ => continue,
            };
            self.map[handle.index()] = Some(Mapped::Place(Place { pointer, guard: None }));
        }
        Ok(())
    }

    /// A local variable's initial value: a constant expression, which no `Emit` covers. Recurses over
    /// the nesting of the variable's type.
    fn constant(&mut self, old: Handle<Expression>) -> Handle<Expression> {
        let span = self.old.expressions.get_span(old);
        let mut copy = self.old.expressions[old].clone();
        expression_operands(&mut copy, |operand| *operand = self.constant(*operand));
        self.out.leaf(copy, span)
    }

    /// Records the new expression of an old one.
    pub(super) fn set(&mut self, old: Handle<Expression>, new: Handle<Expression>) {
        self.map[old.index()] = Some(Mapped::Value(new));
    }

    /// Walks the body.
    pub(super) fn body(&mut self) -> Result<()> {
        self.walk(&self.old.body)?;
        if let Some(probe) = self.probe.filter(|_| !returns(&self.old.body)) {
            probe.check(&mut self.out, Span::UNDEFINED);
        }
        Ok(())
    }

    /// The names that the old function gave to values.
    pub(super) fn names(&self) -> naga::FastIndexMap<Handle<Expression>, String> {
        let named = self.old.named_expressions.iter();
        named
            .filter_map(|(old, name)| match self.map[old.index()] {
                Some(Mapped::Value(new)) => Some((new, name.clone())),
                _ => None,
            })
            .collect()
    }

    fn value(&self, old: Handle<Expression>) -> Result<Handle<Expression>> {
        match self.map[old.index()] {
            Some(Mapped::Value(value)) => Ok(value),
            other => Err(internal(format!("{old:?} is used as a value and is {other:?}"))),
        }
    }

    fn place(&self, old: Handle<Expression>) -> Result<Place> {
        match self.map[old.index()] {
            Some(Mapped::Place(place)) => Ok(place),
            other => Err(internal(format!("{old:?} is used as a pointer and is {other:?}"))),
        }
    }

    /// Replaces an old operand by the new one. For visitors that can't fail: `seen` keeps the
    /// error.
    fn replace(&self, operand: &mut Handle<Expression>, seen: &mut Result<()>) {
        match self.value(*operand) {
            Ok(value) => *operand = value,
            Err(error) => *seen = Err(error),
        }
    }

    fn inner(&self, old: Handle<Expression>) -> &TypeInner {
        self.info[old].ty.inner_with(&self.kernel.module().types)
    }

    /// The type of an old expression's value, in the arena.
    fn ty(&mut self, old: Handle<Expression>) -> Handle<Type> {
        match self.info[old].ty.handle() {
            Some(handle) => handle,
            None => {
                let inner = self.inner(old).clone();
                self.out.ty(inner)
            }
        }
    }

    fn walk(&mut self, body: &Block) -> Result<()> {
        for (statement, &span) in body.span_iter() {
            self.statement(statement, span)?;
        }
        Ok(())
    }

    fn nested(&mut self, body: &Block) -> Result<Block> {
        let outer = self.out.begin();
        self.walk(body)?;
        Ok(self.out.end(outer))
    }

    fn statement(&mut self, statement: &Statement, span: Span) -> Result<()> {
        match *statement {
            Statement::Emit(ref range) => self.emit(range)?,
            Statement::Block(ref body) => {
                let body = self.nested(body)?;
                self.out.statement(Statement::Block(body), span);
            }
            Statement::If { condition, ref accept, ref reject } => {
                let condition = self.value(condition)?;
                let accept = self.nested(accept)?;
                let reject = self.nested(reject)?;
                self.out.statement(Statement::If { condition, accept, reject }, span);
            }
            Statement::Switch { selector, ref cases } => {
                let selector = self.value(selector)?;
                let mut new = Vec::with_capacity(cases.len());
                for &SwitchCase { value, ref body, fall_through } in cases {
                    new.push(SwitchCase { value, body: self.nested(body)?, fall_through });
                }
                self.out.statement(Statement::Switch { selector, cases: new }, span);
            }
            Statement::Loop { ref body, ref continuing, break_if } => {
                let finite = is_finite(self.finite_loops, self.loops);
                self.loops += 1;
                let outer = self.out.begin();
                if let Some(budget) = self.budget.filter(|_| !finite) {
                    budget.check(&mut self.out, span);
                }
                self.walk(body)?;
                let body = self.out.end(outer);
                let outer = self.out.begin();
                self.walk(continuing)?;
                let break_if = break_if.map(|condition| self.value(condition)).transpose()?;
                let continuing = self.out.end(outer);
                self.out.statement(Statement::Loop { body, continuing, break_if }, span);
            }
            Statement::Return { value: None } => {
                if let Some(probe) = self.probe {
                    probe.check(&mut self.out, span);
                }
                self.out.statement(statement.clone(), span);
            }
            Statement::Break
            | Statement::Continue
            | Statement::ControlBarrier(_)
            | Statement::MemoryBarrier(_) => self.out.statement(statement.clone(), span),
            Statement::Store { pointer, value } => {
                let place = self.place(pointer)?;
                let value = self.value(value)?;
                self.guarded(place.guard, span, |rebuild| {
                    rebuild.out.store(place.pointer, value, span);
                });
            }
            Statement::Atomic { pointer, ref fun, value, result } => {
                self.atomic(pointer, fun, value, result, span)?;
            }
            Statement::WorkGroupUniformLoad { pointer, result } => {
                // A barrier is never inside a guard. The pointer is in bounds in any case.
                let place = self.place(pointer)?;
                let loaded = self.out.leaf(self.old.expressions[result].clone(), span);
                self.out.statement(
                    Statement::WorkGroupUniformLoad { pointer: place.pointer, result: loaded },
                    span,
                );
                let ty = self.ty(result);
                let value = guard::or_zero(&mut self.out, place.guard, loaded, ty, span);
                self.set(result, value);
            }
            Statement::SubgroupBallot { .. }
            | Statement::SubgroupGather { .. }
            | Statement::SubgroupCollectiveOperation { .. } => {
                let mut copy = statement.clone();
                let mut seen = Ok(());
                statement_operands(&mut copy, |operand| self.replace(operand, &mut seen));
                seen?;
                if let Some(result) = statement_result(&mut copy) {
                    *result = self.result(*result, span);
                }
                self.out.statement(copy, span);
            }
            ref other => return Err(internal(format!("an unexpected statement: {other:?}"))),
        }
        Ok(())
    }

    /// The new result expression of a statement.
    fn result(&mut self, old: Handle<Expression>, span: Span) -> Handle<Expression> {
        let new = self.out.leaf(self.old.expressions[old].clone(), span);
        self.set(old, new);
        new
    }

    /// Calls `build`, inside `if guard` if there is a guard.
    fn guarded(
        &mut self,
        guard: Option<Handle<Expression>>,
        span: Span,
        build: impl FnOnce(&mut Self),
    ) {
        match guard {
            None => build(self),
            Some(guard) => {
                let outer = self.out.begin();
                build(self);
                self.out.end_if(outer, guard, span);
            }
        }
    }

    fn atomic(
        &mut self,
        pointer: Handle<Expression>,
        fun: &AtomicFunction,
        value: Handle<Expression>,
        result: Option<Handle<Expression>>,
        span: Span,
    ) -> Result<()> {
        let place = self.place(pointer)?;
        let value_type = self.ty(value);
        let value = self.value(value)?;
        let fun = match *fun {
            AtomicFunction::Exchange { compare: Some(compare) } => {
                AtomicFunction::Exchange { compare: Some(self.value(compare)?) }
            }
            other => other,
        };
        // The result of an atomic that is not performed.
        let kept = match (result, place.guard) {
            (Some(result), Some(_)) if self.info[result].ref_count > 0 => {
                let ty = self.ty(result);
                let local = guard::zeroed_local(&mut self.out, ty, span);
                if let AtomicFunction::Exchange { compare: Some(compare) } = fun {
                    // The out-of-bounds exchange compares with the zero that it reads.
                    let exchanged = Expression::AccessIndex { base: local, index: 1 };
                    let exchanged = self.out.expr(exchanged, span);
                    let zero = self.out.zero(value_type);
                    let same = self.out.binary(BinaryOperator::Equal, zero, compare, span);
                    self.out.store(exchanged, same, span);
                }
                Some((result, local))
            }
            _ => None,
        };
        self.guarded(place.guard, span, |rebuild| {
            let result = result.map(|result| rebuild.result(result, span));
            let pointer = place.pointer;
            rebuild.out.statement(Statement::Atomic { pointer, fun, value, result }, span);
            if let (Some((_, local)), Some(result)) = (kept, result) {
                rebuild.out.store(local, result, span);
            }
        });
        if let Some((result, local)) = kept {
            let value = self.out.load(local, span);
            self.set(result, value);
        }
        Ok(())
    }

    fn emit(&mut self, range: &Range<Expression>) -> Result<()> {
        for old in range.clone() {
            // Set already: a leaf or an input.
            if self.info[old].ref_count == 0 || self.map[old.index()].is_some() {
                continue;
            }
            let span = self.old.expressions.get_span(old);
            let mapped = match self.old.expressions[old] {
                Expression::Access { base, index } => self.access(old, base, index, span)?,
                Expression::AccessIndex { base, index } => self.access_index(base, index, span)?,
                Expression::Load { pointer } => {
                    let place = self.place(pointer)?;
                    let value = self.out.load(place.pointer, span);
                    let ty = self.ty(old);
                    Mapped::Value(guard::or_zero(&mut self.out, place.guard, value, ty, span))
                }
                Expression::ArrayLength(array) => match self.bindings.window(self.old, array) {
                    Some(id) => Mapped::Value(self.block.word(Word::Elements(id))?),
                    None => return Err(internal("the length of an array that is not a window")),
                },
                ref other => {
                    let mut copy = other.clone();
                    let mut seen = Ok(());
                    expression_operands(&mut copy, |operand| self.replace(operand, &mut seen));
                    seen?;
                    Mapped::Value(self.out.expr(copy, span))
                }
            };
            self.map[old.index()] = Some(mapped);
        }
        Ok(())
    }

    fn window(&self, array: Handle<Expression>, signed: bool) -> Result<Option<Limit>> {
        let Some(id) = self.bindings.window(self.old, array) else {
            return Ok(None);
        };
        if self.bindings.pitched(id) {
            let elements = if signed { Word::SignedElements(id) } else { Word::Elements(id) };
            return Ok(Some(Limit::Box(BoxLimit {
                elements: self.block.word(elements)?,
                row: self.block.word(Word::Row(id))?,
                origin: self.block.word(Word::Origin(id))?,
                rows: self.block.word(Word::Rows(id))?,
                columns: self.block.word(Word::Columns(id))?,
            })));
        }
        let first = self.block.word(Word::WindowFirst(id))?;
        let len = if signed { Word::WindowSignedLen(id) } else { Word::WindowLen(id) };
        let len = self.block.word(len)?;
        Ok(Some(Limit::Window { first, len }))
    }

    /// The number of elements of an old expression, or of its pointee.
    fn count(&self, old: Handle<Expression>) -> Result<u32> {
        let types = &self.kernel.module().types;
        let inner = match *self.inner(old) {
            TypeInner::Pointer { base, .. } => &types[base].inner,
            ref other => other,
        };
        match *inner {
            TypeInner::Vector { size, .. } | TypeInner::ValuePointer { size: Some(size), .. } => {
                Ok(size as u32)
            }
            TypeInner::Matrix { columns, .. } => Ok(columns as u32),
            TypeInner::Array { size: ArraySize::Constant(count), .. } => Ok(count.get()),
            ref other => Err(internal(format!("an index into {other:?}"))),
        }
    }

    fn access(
        &mut self,
        old: Handle<Expression>,
        base: Handle<Expression>,
        index: Handle<Expression>,
        span: Span,
    ) -> Result<Mapped> {
        let signed = is_signed(self.kernel, index);
        let limit = match self.window(base, signed)? {
            Some(window) => window,
            None => Limit::Known(self.count(base)?),
        };
        let bound = upper_bound(self.kernel, index);
        let inside = matches!((limit, bound), (Limit::Known(n), Some(bound)) if bound < n);
        let index = self.value(index)?;
        let mapped = self.map[base.index()];
        let (guard, index) = if inside {
            (None, index)
        } else {
            let (index, guard) = guard::inside(&mut self.out, index, signed, limit, span);
            (Some(guard), index)
        };
        match mapped {
            Some(Mapped::Place(place)) => Ok(Mapped::Place(self.step(
                place,
                guard,
                |base| Expression::Access { base, index },
                span,
            ))),
            Some(Mapped::Value(base)) => {
                let value = self.out.expr(Expression::Access { base, index }, span);
                let ty = self.ty(old);
                Ok(Mapped::Value(guard::or_zero(&mut self.out, guard, value, ty, span)))
            }
            None => Err(internal("an index into an expression without a value")),
        }
    }

    fn access_index(&mut self, base: Handle<Expression>, index: u32, span: Span) -> Result<Mapped> {
        match self.map[base.index()] {
            Some(Mapped::Place(place)) => {
                let Some(window) = self.window(base, false)? else {
                    let access = |base| Expression::AccessIndex { base, index };
                    return Ok(Mapped::Place(self.step(place, None, access, span)));
                };
                let index = self.out.u32(index);
                let (index, guard) = guard::inside(&mut self.out, index, false, window, span);
                let access = |base| Expression::Access { base, index };
                Ok(Mapped::Place(self.step(place, Some(guard), access, span)))
            }
            Some(Mapped::Value(base)) => {
                Ok(Mapped::Value(self.out.expr(Expression::AccessIndex { base, index }, span)))
            }
            None => Err(internal("a member of an expression without a value")),
        }
    }

    /// One step from a place inwards.
    fn step(
        &mut self,
        place: Place,
        guard: Option<Handle<Expression>>,
        access: impl FnOnce(Handle<Expression>) -> Expression,
        span: Span,
    ) -> Place {
        let pointer = self.out.expr(access(place.pointer), span);
        let guard = match guard {
            Some(guard) => Some(guard::both(&mut self.out, place.guard, guard, span)),
            None => place.guard,
        };
        Place { pointer, guard }
    }
}

/// Whether control leaves the function at the end of a block, and no statement may follow.
fn returns(block: &naga::Block) -> bool {
    match block.last() {
        Some(Statement::Return { .. } | Statement::Kill) => true,
        Some(Statement::Block(inner)) => returns(inner),
        _ => false,
    }
}
