//! The body that is being written: its expressions, locals and names. Other files copy statements.

use std::collections::HashMap;

use naga::{
    Arena, BinaryOperator, Block, Expression, Function, Handle, Literal, LocalVariable, Range,
    Scalar, Span, Statement, Type, TypeInner,
};

use super::frame::{Frame, broken};
use crate::error::Result;
use crate::kernel::normalise::constant_operands::{Checked, refused_operand};
use crate::kernel::operands::expression_operands;

/// Expressions that are available without being emitted, and can be shared by all inlined bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Shared {
    Literal(u8, u64),
    Constant(Handle<naga::Constant>),
    Zero(Handle<Type>),
    Global(Handle<naga::GlobalVariable>),
    Local(Handle<LocalVariable>),
}

fn literal_key(value: Literal) -> Shared {
    let (kind, bits) = match value {
        Literal::F64(v) => (0, v.to_bits()),
        Literal::F32(v) => (1, u64::from(v.to_bits())),
        Literal::F16(v) => (2, u64::from(v.to_bits())),
        Literal::U16(v) => (3, u64::from(v)),
        Literal::I16(v) => (4, v as u64),
        Literal::U32(v) => (5, u64::from(v)),
        Literal::I32(v) => (6, v as u64),
        Literal::U64(v) => (7, v),
        Literal::I64(v) => (8, v as u64),
        Literal::Bool(v) => (9, u64::from(v)),
        Literal::AbstractInt(v) => (10, v as u64),
        Literal::AbstractFloat(v) => (11, v.to_bits()),
    };
    Shared::Literal(kind, bits)
}

/// The written part of the entry point's function.
pub(super) struct Body<'a> {
    pub(super) module: &'a mut naga::Module,
    pub(super) expressions: Arena<Expression>,
    pub(super) locals: Arena<LocalVariable>,
    pub(super) names: Vec<(Handle<Expression>, String)>,
    shared: HashMap<Shared, Handle<Expression>>,
}

impl<'a> Body<'a> {
    pub(super) fn new(module: &'a mut naga::Module) -> Body<'a> {
        Body {
            module,
            expressions: Arena::new(),
            locals: Arena::new(),
            names: Vec::new(),
            shared: HashMap::new(),
        }
    }

    /// Copies expressions that need no `Emit`: literals, constants, variables, arguments.
    pub(super) fn available(&mut self, frame: &mut Frame<'_>) -> Result<()> {
        for (old, expression) in frame.function.expressions.iter() {
            let span = frame.function.expressions.get_span(old);
            let new = match *expression {
                Expression::FunctionArgument(i) => match &frame.arguments {
                    Some(values) => values.get(i as usize).copied(),
                    None => Some(self.expressions.append(expression.clone(), span)),
                },
                Expression::LocalVariable(local) => {
                    let local = frame.locals[local.index()];
                    Some(self.shared(&Expression::LocalVariable(local), span)?)
                }
                ref other if other.needs_pre_emit() => Some(self.shared(other, span)?),
                _ => continue,
            };
            frame.map[old.index()] = new;
        }
        Ok(())
    }

    /// An expression that needs no `Emit`, made once.
    pub(super) fn shared(
        &mut self,
        expression: &Expression,
        span: Span,
    ) -> Result<Handle<Expression>> {
        let mut expression = expression.clone();
        if let Expression::Constant(constant) = expression
            && let init = self.module.constants[constant].init
            && let Expression::Literal(value) = self.module.global_expressions[init]
        {
            expression = Expression::Literal(value);
        }
        let key = match expression {
            Expression::Literal(value) => literal_key(value),
            Expression::Constant(constant) => Shared::Constant(constant),
            Expression::ZeroValue(ty) => Shared::Zero(ty),
            Expression::GlobalVariable(global) => Shared::Global(global),
            Expression::LocalVariable(local) => Shared::Local(local),
            _ => return Err(broken("an override is left")),
        };
        let expressions = &mut self.expressions;
        Ok(*self.shared.entry(key).or_insert_with(|| expressions.append(expression, span)))
    }

    /// Copies a constant expression, with an `Emit` into `out` if that is given. An initialiser of
    /// a local needs none.
    pub(super) fn constant(
        &mut self,
        function: &Function,
        old: Handle<Expression>,
        out: &mut Option<&mut Block>,
    ) -> Result<Handle<Expression>> {
        let mut expression = function.expressions[old].clone();
        let span = function.expressions.get_span(old);
        if expression.needs_pre_emit() {
            return self.shared(&expression, span);
        }
        let mut failed = None;
        expression_operands(&mut expression, |operand| {
            match self.constant(function, *operand, out) {
                Ok(new) => *operand = new,
                Err(error) => failed = Some(error),
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        Ok(match out {
            Some(out) => self.push(expression, span, out),
            None => self.expressions.append(expression, span),
        })
    }

    /// Appends one expression and its `Emit`.
    pub(super) fn push(
        &mut self,
        expression: Expression,
        span: Span,
        out: &mut Block,
    ) -> Handle<Expression> {
        let new = self.expressions.append(expression, span);
        out.push(Statement::Emit(Range::new_from_bounds(new, new)), span);
        new
    }

    pub(super) fn flush(&mut self, start: usize, span: Span, out: &mut Block) {
        if self.expressions.len() > start {
            out.push(Statement::Emit(self.expressions.range_from(start)), span);
        }
    }

    /// Adds a local, and returns a pointer to it.
    pub(super) fn local(
        &mut self,
        name: Option<String>,
        ty: Handle<Type>,
        init: Option<Handle<Expression>>,
        span: Span,
    ) -> Result<Handle<Expression>> {
        let local = self.locals.append(LocalVariable { name, ty, init }, span);
        self.shared(&Expression::LocalVariable(local), span)
    }

    pub(super) fn literal(&mut self, value: bool, span: Span) -> Result<Handle<Expression>> {
        self.shared(&Expression::Literal(Literal::Bool(value)), span)
    }

    /// Copies the expressions of one `Emit`.
    pub(super) fn emit(
        &mut self,
        frame: &mut Frame<'_>,
        range: &Range<Expression>,
        span: Span,
        out: &mut Block,
    ) -> Result<()> {
        let mut start = self.expressions.len();
        for old in range.clone() {
            let at = frame.function.expressions.get_span(old);
            let mut expression = frame.function.expressions[old].clone();
            let base = match expression {
                Expression::Binary { left, .. } => Some(left),
                Expression::Access { base, .. } => Some(base),
                _ => None,
            };
            let mut failed = None;
            expression_operands(&mut expression, |operand| match frame.get(*operand) {
                Ok(new) => *operand = new,
                Err(error) => failed = Some(error),
            });
            if let Some(error) = failed {
                return Err(error);
            }
            if let Some(base) = base {
                let base = frame.info[base].ty.inner_with(&self.module.types);
                let checked = Checked { module: self.module, expressions: &self.expressions };
                if let Some((operand, ty)) = refused_operand(&checked, base, &expression) {
                    // Inlining made the operand known: naga would refuse at compile time what WGSL
                    // defines at run time.
                    self.flush(start, span, out);
                    let ty = self.module.types.insert(Type { name: None, inner: ty }, at);
                    let pointer = self.local(None, ty, None, at)?;
                    out.push(Statement::Store { pointer, value: operand }, at);
                    start = self.expressions.len();
                    let hidden = self.expressions.append(Expression::Load { pointer }, at);
                    match &mut expression {
                        Expression::Binary { right: known, .. }
                        | Expression::Access { index: known, .. } => *known = hidden,
                        _ => {}
                    }
                }
            }
            frame.map[old.index()] = Some(self.expressions.append(expression, at));
        }
        self.flush(start, span, out);
        Ok(())
    }

    /// Keeps the names of `let` declarations, for printed modules.
    pub(super) fn keep_names(&mut self, frame: &Frame<'_>) {
        for (old, name) in &frame.function.named_expressions {
            if let Some(new) = frame.map[old.index()]
                && !self.expressions[new].needs_pre_emit()
            {
                self.names.push((new, name.clone()));
            }
        }
    }

    pub(super) fn load_returned(
        &mut self,
        frame: &mut Frame<'_>,
        span: Span,
        out: &mut Block,
    ) -> Result<Handle<Expression>> {
        let pointer = self.returned(frame, span)?;
        Ok(self.push(Expression::Load { pointer }, span, out))
    }

    /// Pointer to the frame's `returned` local.
    pub(super) fn returned(
        &mut self,
        frame: &mut Frame<'_>,
        span: Span,
    ) -> Result<Handle<Expression>> {
        if let Some(pointer) = frame.returned {
            return Ok(pointer);
        }
        let inner = TypeInner::Scalar(naga::Scalar::BOOL);
        let ty = self.module.types.insert(Type { name: None, inner }, Span::UNDEFINED);
        let init = self.literal(false, span)?;
        let pointer = self.local(Some("returned".to_owned()), ty, Some(init), span)?;
        frame.returned = Some(pointer);
        Ok(pointer)
    }

    pub(super) fn type_of(
        &mut self,
        frame: &Frame<'_>,
        expression: Handle<Expression>,
    ) -> Handle<Type> {
        match &frame.info[expression].ty {
            naga::proc::TypeResolution::Handle(ty) => *ty,
            naga::proc::TypeResolution::Value(inner) => {
                let ty = Type { name: None, inner: inner.clone() };
                self.module.types.insert(ty, Span::UNDEFINED)
            }
        }
    }

    pub(super) fn steering_local(&mut self, name: &str, span: Span) -> Result<Handle<Expression>> {
        let ty = Type { name: None, inner: TypeInner::Scalar(Scalar::U32) };
        let ty = self.module.types.insert(ty, Span::UNDEFINED);
        self.local(Some(name.to_owned()), ty, None, span)
    }

    pub(super) fn number(&mut self, value: u32, span: Span) -> Result<Handle<Expression>> {
        self.shared(&Expression::Literal(Literal::U32(value)), span)
    }

    pub(super) fn store_number(
        &mut self,
        pointer: Handle<Expression>,
        value: u32,
        span: Span,
        out: &mut Block,
    ) -> Result<()> {
        let value = self.number(value, span)?;
        out.push(Statement::Store { pointer, value }, span);
        Ok(())
    }

    pub(super) fn compare(
        &mut self,
        local: Handle<Expression>,
        op: BinaryOperator,
        value: u32,
        span: Span,
        out: &mut Block,
    ) -> Result<Handle<Expression>> {
        let right = self.number(value, span)?;
        let left = self.push(Expression::Load { pointer: local }, span, out);
        Ok(self.push(Expression::Binary { op, left, right }, span, out))
    }

    /// `if local == value { accept }`.
    pub(super) fn if_is(
        &mut self,
        local: Handle<Expression>,
        value: u32,
        accept: Block,
        span: Span,
        out: &mut Block,
    ) -> Result<()> {
        let condition = self.compare(local, BinaryOperator::Equal, value, span, out)?;
        out.push(Statement::If { condition, accept, reject: Block::new() }, span);
        Ok(())
    }
}
