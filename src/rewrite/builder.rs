//! A function under construction: expressions, locals, and the block that is being filled.
//!
//! naga wants every expression that is not a leaf in the range of one `Emit` statement, placed
//! where it is to be evaluated. The builder keeps the range that is not emitted yet and emits it
//! before anything that must come after it: a statement, a leaf, the end of a block.

use std::collections::HashMap;

use naga::{
    Arena, ArraySize, BinaryOperator, Block, Expression, Handle, Literal, LocalVariable, Scalar,
    Span, Statement, Type, TypeInner, UniqueArena,
};

pub(super) struct Builder {
    pub(super) types: UniqueArena<Type>,
    pub(super) expressions: Arena<Expression>,
    pub(super) locals: Arena<LocalVariable>,
    block: Block,
    /// Expressions from here on are not emitted yet.
    emitted: usize,
    literals: HashMap<u32, Handle<Expression>>,
    zeros: HashMap<Handle<Type>, Handle<Expression>>,
}

impl Builder {
    pub(super) fn new(types: UniqueArena<Type>) -> Self {
        Builder {
            types,
            expressions: Arena::new(),
            locals: Arena::new(),
            block: Block::new(),
            emitted: 0,
            literals: HashMap::new(),
            zeros: HashMap::new(),
        }
    }

    /// An expression evaluated here.
    pub(super) fn expr(&mut self, expression: Expression, span: Span) -> Handle<Expression> {
        debug_assert!(!expression.needs_pre_emit());
        self.expressions.append(expression, span)
    }

    /// An expression that no `Emit` covers: a constant, a variable, the result of a statement.
    pub(super) fn leaf(&mut self, expression: Expression, span: Span) -> Handle<Expression> {
        self.flush();
        let handle = self.expressions.append(expression, span);
        self.emitted = self.expressions.len();
        handle
    }

    pub(super) fn statement(&mut self, statement: Statement, span: Span) {
        self.flush();
        self.block.push(statement, span);
    }

    fn flush(&mut self) {
        if self.expressions.len() > self.emitted {
            let range = self.expressions.range_from(self.emitted);
            self.emitted = self.expressions.len();
            self.block.push(Statement::Emit(range), Span::UNDEFINED);
        }
    }

    /// Begins an inner block; returns the outer one, for [`Builder::end`].
    pub(super) fn begin(&mut self) -> Block {
        self.flush();
        std::mem::take(&mut self.block)
    }

    /// Ends an inner block, goes on with the outer one, returns the inner one.
    pub(super) fn end(&mut self, outer: Block) -> Block {
        self.flush();
        std::mem::replace(&mut self.block, outer)
    }

    /// The outermost block, finished.
    pub(super) fn finish(&mut self) -> Block {
        self.end(Block::new())
    }

    pub(super) fn ty(&mut self, inner: TypeInner) -> Handle<Type> {
        self.types.insert(Type { name: None, inner }, Span::UNDEFINED)
    }

    pub(super) fn u32_type(&mut self) -> Handle<Type> {
        self.ty(TypeInner::Scalar(Scalar::U32))
    }

    /// A runtime-sized array.
    pub(super) fn runtime_array(&mut self, base: Handle<Type>, stride: u32) -> Handle<Type> {
        self.ty(TypeInner::Array { base, size: ArraySize::Dynamic, stride })
    }

    pub(super) fn u32(&mut self, value: u32) -> Handle<Expression> {
        if let Some(&known) = self.literals.get(&value) {
            return known;
        }
        let handle = self.leaf(Expression::Literal(Literal::U32(value)), Span::UNDEFINED);
        self.literals.insert(value, handle);
        handle
    }

    pub(super) fn zero(&mut self, ty: Handle<Type>) -> Handle<Expression> {
        if let Some(&known) = self.zeros.get(&ty) {
            return known;
        }
        let handle = self.leaf(Expression::ZeroValue(ty), Span::UNDEFINED);
        self.zeros.insert(ty, handle);
        handle
    }

    /// A new local variable, as a pointer.
    pub(super) fn local(
        &mut self,
        name: &str,
        ty: Handle<Type>,
        init: Option<Handle<Expression>>,
    ) -> Handle<Expression> {
        let variable = LocalVariable { name: Some(name.to_owned()), ty, init };
        self.declare(variable, Span::UNDEFINED)
    }

    /// A local variable, as a pointer.
    pub(super) fn declare(&mut self, variable: LocalVariable, span: Span) -> Handle<Expression> {
        let variable = self.locals.append(variable, span);
        self.leaf(Expression::LocalVariable(variable), span)
    }

    pub(super) fn binary(
        &mut self,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
        span: Span,
    ) -> Handle<Expression> {
        self.expr(Expression::Binary { op, left, right }, span)
    }

    pub(super) fn select(
        &mut self,
        condition: Handle<Expression>,
        accept: Handle<Expression>,
        reject: Handle<Expression>,
        span: Span,
    ) -> Handle<Expression> {
        self.expr(Expression::Select { condition, accept, reject }, span)
    }

    pub(super) fn load(&mut self, pointer: Handle<Expression>, span: Span) -> Handle<Expression> {
        self.expr(Expression::Load { pointer }, span)
    }

    pub(super) fn store(
        &mut self,
        pointer: Handle<Expression>,
        value: Handle<Expression>,
        span: Span,
    ) {
        self.statement(Statement::Store { pointer, value }, span);
    }

    /// `if condition { … }` around the statements since [`Builder::begin`] returned `outer`.
    pub(super) fn end_if(&mut self, outer: Block, condition: Handle<Expression>, span: Span) {
        let accept = self.end(outer);
        self.statement(Statement::If { condition, accept, reject: Block::new() }, span);
    }
}
