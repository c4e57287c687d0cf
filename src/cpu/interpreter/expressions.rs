//! Expressions to planes: construction, access, conversion, and the operators.
//!
//! An expression is evaluated when the `Emit` that covers it is met, or, if it is a constant that
//! nothing emits, when it is first needed. Operands come earlier in the arena, and those that are
//! not ready are put on a stack of our own. Built-in functions are in `numeric`.

use std::rc::Rc;

use naga::{BinaryOperator, Expression, Handle, Literal, ScalarKind, Span, UnaryOperator};

use super::bytecode::Builtin;
use super::compile::{Compiler, Entry, Scope, Value};
use super::functions::{Binary, Reg, Unary};
use super::shape::{Extent, Kind};
use crate::error::Result;

/// Expressions among which the use of another is looked for.
const USE_IS_NEAR: usize = 64;

impl Compiler<'_> {
    /// Evaluates an expression, and what it needs, unless that has been done.
    pub(in crate::cpu) fn ensure(
        &mut self,
        scope: Scope,
        handle: Handle<Expression>,
    ) -> Result<()> {
        let mut stack = vec![(scope, handle)];
        while let Some(&(scope, handle)) = stack.last() {
            if self.entry(scope, handle).is_some() {
                stack.pop();
                continue;
            }
            let expression = self.expression(scope, handle);
            let ready = stack.len();
            let mut need = |scope: Scope, operand: Handle<Expression>| {
                if self.entry(scope, operand).is_none() {
                    stack.push((scope, operand));
                }
            };
            if let Expression::Constant(constant) = *expression {
                need(Scope::Global, self.module.constants[constant].init);
            }
            operands(expression, &mut |operand| need(scope, operand));
            if stack.len() == ready {
                stack.pop();
                let span = self.known_span(scope, handle);
                let outer = std::mem::replace(&mut self.span, span);
                let entry = self.evaluate(scope, handle)?;
                if scope == Scope::Function {
                    self.note_computed(handle, &entry)?;
                }
                self.span = outer;
                self.set(scope, handle, entry);
            }
        }
        Ok(())
    }

    /// The text of an expression. Where naga keeps none, as for a variable that is read by its
    /// name alone: the text of what uses it.
    fn known_span(&self, scope: Scope, handle: Handle<Expression>) -> Span {
        let span = self.expression_span(scope, handle);
        if span.is_defined() || self.watch.is_none() || scope == Scope::Global {
            return span;
        }
        let later = self.function.expressions.iter().skip(handle.index() + 1).take(USE_IS_NEAR);
        for (user, expression) in later {
            let mut uses = false;
            operands(expression, &mut |operand| uses |= operand == handle);
            let span = self.expression_span(scope, user);
            if uses && span.is_defined() {
                return span;
            }
        }
        self.span
    }

    fn evaluate(&mut self, scope: Scope, handle: Handle<Expression>) -> Result<Entry> {
        use Expression as E;
        let value = |regs: Vec<Reg>| Ok(Entry::Value(regs.into()));
        match *self.expression(scope, handle) {
            E::Literal(literal) => {
                let bits = match literal {
                    Literal::F32(x) => x.to_bits(),
                    Literal::F16(x) => x.to_f32().to_bits(),
                    Literal::U32(x) => x,
                    Literal::I32(x) => x as u32,
                    Literal::Bool(x) => 0u32.wrapping_sub(u32::from(x)),
                    Literal::AbstractInt(x) => x as u32,
                    Literal::AbstractFloat(x) => (x as f32).to_bits(),
                    _ => return Err(self.unsupported("a scalar of 16 or 64 bits", self.span)),
                };
                value(vec![self.constant(bits)])
            }
            E::Constant(constant) => {
                let init = self.module.constants[constant].init;
                Ok(Entry::Value(self.ready_value(Scope::Global, init)?))
            }
            E::ZeroValue(ty) => {
                let count = self.planes(super::shape::Shape::Type(ty))?;
                let zero = self.constant(0);
                value(vec![zero; count as usize])
            }
            E::Compose { ty, ref components } => {
                let count = self.planes(super::shape::Shape::Type(ty))?;
                let mut regs = Vec::with_capacity(count as usize);
                for &component in components {
                    regs.extend_from_slice(&self.ready_value(scope, component)?);
                }
                value(regs)
            }
            E::Splat { size, value: scalar } => {
                let scalar = self.ready_scalar(scope, scalar)?;
                value(vec![scalar; size as usize])
            }
            E::Swizzle { size, vector, pattern } => {
                let vector = self.ready_value(scope, vector)?;
                value(pattern[..size as usize].iter().map(|c| vector[*c as usize]).collect())
            }
            E::Access { base, index } => {
                let reg = self.ready_scalar(scope, index)?;
                if scope == Scope::Function {
                    self.note_made(index)?;
                }
                match self.entry(scope, base).cloned() {
                    Some(Entry::Place(place)) => {
                        Ok(Entry::Place(self.indexed(&place, index, reg)?))
                    }
                    Some(Entry::Value(whole)) => {
                        let shape = self.shape(scope, base)?;
                        if scope == Scope::Function {
                            let signed = self.kind(scope, index)? == Kind::I32;
                            let count = self.value_count(&whole, shape);
                            self.note_pick(base, reg, signed, count);
                        }
                        Ok(Entry::Value(self.pick(&whole, shape, reg)?))
                    }
                    None => Err(self.broken("an index into nothing")),
                }
            }
            E::AccessIndex { base, index } => match self.entry(scope, base).cloned() {
                Some(Entry::Place(place)) => Ok(Entry::Place(self.member(&place, index)?)),
                Some(Entry::Value(whole)) => {
                    let shape = self.shape(scope, base)?;
                    let (child, at) = self
                        .shapes
                        .child(shape, index, super::shape::Measure::Flat)
                        .ok_or_else(|| self.broken("a member that does not exist"))?;
                    let count = self.flat(child)? as usize;
                    Ok(Entry::Value(whole[at as usize..at as usize + count].into()))
                }
                None => Err(self.broken("a member of nothing")),
            },
            E::FunctionArgument(index) => self.argument(index),
            E::GlobalVariable(global) => Ok(Entry::Place(self.global_place(global)?)),
            E::LocalVariable(local) => Ok(Entry::Place(self.local_place(local)?)),
            E::Load { pointer } => {
                let place = self.ready_place(scope, pointer)?;
                self.load(&place)
            }
            E::Unary { op, expr } => {
                let kind = self.kind(scope, expr)?;
                let f = match (op, kind) {
                    (UnaryOperator::Negate, Kind::F32 | Kind::F16) => Unary::NegF,
                    (UnaryOperator::Negate, _) => Unary::NegI,
                    (UnaryOperator::LogicalNot | UnaryOperator::BitwiseNot, _) => Unary::Not,
                };
                let operand = self.ready_value(scope, expr)?;
                value(operand.iter().map(|&a| self.unary(f, a)).collect())
            }
            E::Binary { op, left, right } => {
                Ok(Entry::Value(self.operator(scope, op, left, right)?))
            }
            E::Select { condition, accept, reject } => {
                let condition = self.ready_value(scope, condition)?;
                let accept = self.ready_value(scope, accept)?;
                let reject = self.ready_value(scope, reject)?;
                let regs = (0..accept.len())
                    .map(|k| {
                        let condition = condition[if condition.len() == 1 { 0 } else { k }];
                        self.select(condition, accept[k], reject[k])
                    })
                    .collect();
                value(regs)
            }
            E::Relational { fun, argument } => {
                use naga::RelationalFunction as R;
                let operand = self.ready_value(scope, argument)?;
                let reg = match fun {
                    R::All => self.fold(Binary::And, &operand),
                    R::Any => self.fold(Binary::Or, &operand),
                    R::IsNan | R::IsInf => {
                        let f = if fun == R::IsNan { Unary::IsNan } else { Unary::IsInf };
                        return value(operand.iter().map(|&a| self.unary(f, a)).collect());
                    }
                };
                value(vec![reg?])
            }
            E::Math { fun, arg, arg1, arg2, arg3 } => {
                Ok(Entry::Value(self.math(scope, fun, [Some(arg), arg1, arg2, arg3])?))
            }
            E::As { expr, kind, convert } => self.convert(scope, expr, kind, convert),
            E::ArrayLength(array) => {
                let place = self.ready_place(scope, array)?;
                value(vec![self.array_length(&place)?])
            }
            _ => Err(self.unsupported("this expression in the CPU's interpreter", self.span)),
        }
    }

    pub(in crate::cpu) fn ready_scalar(
        &self,
        scope: Scope,
        handle: Handle<Expression>,
    ) -> Result<Reg> {
        match self.ready_value(scope, handle)?[..] {
            [reg] => Ok(reg),
            _ => Err(self.broken("a scalar was expected")),
        }
    }

    fn ready_place(
        &self,
        scope: Scope,
        handle: Handle<Expression>,
    ) -> Result<super::places::Place> {
        match self.entry(scope, handle) {
            Some(Entry::Place(place)) => Ok(place.clone()),
            _ => Err(self.broken("a pointer was expected")),
        }
    }

    /// Folds planes from the left.
    pub(in crate::cpu) fn fold(&mut self, f: Binary, regs: &[Reg]) -> Result<Reg> {
        let mut rest = regs.iter();
        let first = *rest.next().ok_or_else(|| self.broken("a value without planes"))?;
        Ok(rest.fold(first, |sum, &reg| self.binary(f, sum, reg)))
    }

    /// An argument of the entry point: a built-in value, or a struct of them.
    fn argument(&mut self, index: u32) -> Result<Entry> {
        use naga::TypeInner as Ti;
        let argument = &self.function.arguments[index as usize];
        let mut wanted = Vec::new();
        match (&argument.binding, &self.module.types[argument.ty].inner) {
            (Some(binding), _) => wanted.push(binding.clone()),
            (None, Ti::Struct { members, .. }) => {
                for member in members {
                    wanted.push(
                        member
                            .binding
                            .clone()
                            .ok_or_else(|| self.broken("an argument that is no built-in value"))?,
                    );
                }
            }
            _ => return Err(self.broken("an argument that is no built-in value")),
        }
        let mut regs: Vec<Reg> = Vec::new();
        for binding in wanted {
            use naga::BuiltIn as B;
            let naga::Binding::BuiltIn(builtin) = binding else {
                return Err(self.broken("an argument that is no built-in value"));
            };
            if matches!(
                builtin,
                B::NumSubgroups | B::SubgroupId | B::SubgroupSize | B::SubgroupInvocationId
            ) {
                self.subgroups = true;
            }
            let three: fn(u8) -> Builtin = match builtin {
                B::GlobalInvocationId => Builtin::GlobalId,
                B::LocalInvocationId => Builtin::LocalId,
                B::WorkGroupId => Builtin::WorkgroupId,
                B::NumWorkGroups => Builtin::NumWorkgroups,
                _ => {
                    let one = match builtin {
                        B::LocalInvocationIndex => Builtin::LocalIndex,
                        B::NumSubgroups => Builtin::NumSubgroups,
                        B::SubgroupId => Builtin::SubgroupId,
                        B::SubgroupSize => Builtin::SubgroupSize,
                        B::SubgroupInvocationId => Builtin::SubgroupInvocationId,
                        B::WorkGroupSize => {
                            for extent in self.kernel.signature().workgroup_size {
                                let extent = self.constant(extent);
                                regs.push(extent);
                            }
                            continue;
                        }
                        _ => {
                            return Err(self.unsupported("this built-in value", self.span));
                        }
                    };
                    regs.push(self.builtin(one));
                    continue;
                }
            };
            regs.extend((0..3).map(|axis| self.builtin(three(axis))).collect::<Vec<_>>());
        }
        Ok(Entry::Value(regs.into()))
    }

    fn operator(
        &mut self,
        scope: Scope,
        op: BinaryOperator,
        left: Handle<Expression>,
        right: Handle<Expression>,
    ) -> Result<Value> {
        let kind = self.kind(scope, left)?;
        let extents = (
            self.shapes.extent(self.shape(scope, left)?),
            self.shapes.extent(self.shape(scope, right)?),
        );
        let (a, b) = (self.ready_value(scope, left)?, self.ready_value(scope, right)?);
        if op == BinaryOperator::Multiply {
            match extents {
                (Extent::Matrix(columns, rows), Extent::Matrix(..) | Extent::Vector(_)) => {
                    let product = b
                        .chunks(columns)
                        .flat_map(|column| (0..rows).map(move |row| (column, row)))
                        .map(|(column, row)| {
                            let line: Vec<Reg> = (0..columns).map(|k| a[k * rows + row]).collect();
                            self.dot(kind, &line, column)
                        })
                        .collect::<Result<Rc<[Reg]>>>();
                    return product;
                }
                (Extent::Vector(_), Extent::Matrix(_, rows)) => {
                    return b.chunks(rows).map(|column| self.dot(kind, &a, column)).collect();
                }
                _ => {}
            }
        }
        let count = a.len().max(b.len());
        (0..count)
            .map(|k| {
                let a = a[if a.len() == 1 { 0 } else { k }];
                let b = b[if b.len() == 1 { 0 } else { k }];
                self.scalar_operator(op, kind, a, b)
            })
            .collect()
    }

    fn scalar_operator(&mut self, op: BinaryOperator, kind: Kind, a: Reg, b: Reg) -> Result<Reg> {
        use BinaryOperator as O;
        let float = kind.is_float();
        let signed = kind == Kind::I32;
        let pick = |f: Binary, i: Binary, u: Binary| {
            if float {
                f
            } else if signed {
                i
            } else {
                u
            }
        };
        let (f, a, b) = match op {
            O::Add => (pick(Binary::AddF, Binary::AddI, Binary::AddI), a, b),
            O::Subtract => (pick(Binary::SubF, Binary::SubI, Binary::SubI), a, b),
            O::Multiply => (pick(Binary::MulF, Binary::MulI, Binary::MulI), a, b),
            O::Divide => (pick(Binary::DivF, Binary::DivI, Binary::DivU), a, b),
            O::Modulo => (pick(Binary::RemF, Binary::RemI, Binary::RemU), a, b),
            O::Equal => (pick(Binary::EqF, Binary::EqI, Binary::EqI), a, b),
            O::NotEqual => (pick(Binary::NeF, Binary::NeI, Binary::NeI), a, b),
            O::Less => (pick(Binary::LtF, Binary::LtI, Binary::LtU), a, b),
            O::LessEqual => (pick(Binary::LeF, Binary::LeI, Binary::LeU), a, b),
            O::Greater => (pick(Binary::LtF, Binary::LtI, Binary::LtU), b, a),
            O::GreaterEqual => (pick(Binary::LeF, Binary::LeI, Binary::LeU), b, a),
            O::And | O::LogicalAnd => (Binary::And, a, b),
            O::InclusiveOr | O::LogicalOr => (Binary::Or, a, b),
            O::ExclusiveOr => (Binary::Xor, a, b),
            O::ShiftLeft => (Binary::Shl, a, b),
            O::ShiftRight => (if signed { Binary::ShrI } else { Binary::ShrU }, a, b),
        };
        let reg = self.binary(f, a, b);
        let arithmetic = matches!(f, Binary::AddF | Binary::SubF | Binary::MulF | Binary::DivF);
        Ok(if arithmetic { self.rounded(kind, reg) } else { reg })
    }

    /// Conversions by value, and bit casts, which cost nothing but where f16 takes part.
    fn convert(
        &mut self,
        scope: Scope,
        expr: Handle<Expression>,
        to: ScalarKind,
        width: Option<u8>,
    ) -> Result<Entry> {
        let from = self.kind(scope, expr)?;
        let operand = self.ready_value(scope, expr)?;
        let Some(width) = width else {
            return match (from, to) {
                (Kind::F16, ScalarKind::Float) => Ok(Entry::Value(operand)),
                (Kind::F16 | Kind::Bool, _) => {
                    Err(self.unsupported("a bit cast between f16 or bool and others", self.span))
                }
                _ => Ok(Entry::Value(operand)),
            };
        };
        let to = Kind::of(naga::Scalar { kind: to, width })
            .ok_or_else(|| self.unsupported("a conversion to 16 or 64 bits", self.span))?;
        let f = match (from, to) {
            (Kind::F16 | Kind::F32, Kind::F32)
            | (Kind::F16, Kind::F16)
            | (Kind::I32 | Kind::U32, Kind::I32 | Kind::U32)
            | (Kind::Bool, Kind::Bool) => return Ok(Entry::Value(operand)),
            (Kind::F32, Kind::F16) => Unary::RoundH,
            (Kind::F32, Kind::I32) => Unary::FToI,
            (Kind::F32, Kind::U32) => Unary::FToU,
            (Kind::F16, Kind::I32) => Unary::HToI,
            (Kind::F16, Kind::U32) => Unary::HToU,
            (Kind::F32 | Kind::F16, Kind::Bool) => Unary::NonZeroF,
            (Kind::I32, Kind::F32) => Unary::IToF,
            (Kind::U32, Kind::F32) => Unary::UToF,
            (Kind::I32, Kind::F16) => Unary::IToH,
            (Kind::U32, Kind::F16) => Unary::UToH,
            (Kind::I32 | Kind::U32, Kind::Bool) => Unary::NonZeroI,
            (Kind::Bool, Kind::I32 | Kind::U32) => Unary::BoolToI,
            (Kind::Bool, Kind::F32 | Kind::F16) => Unary::BoolToF,
        };
        Ok(Entry::Value(operand.iter().map(|&a| self.unary(f, a)).collect()))
    }
}

/// Calls `visit` for the operands of an expression that may be evaluated on demand.
fn operands(expression: &Expression, visit: &mut dyn FnMut(Handle<Expression>)) {
    use Expression as E;
    match *expression {
        E::Compose { ref components, .. } => components.iter().copied().for_each(visit),
        E::Access { base, index } => {
            visit(base);
            visit(index);
        }
        E::AccessIndex { base, .. } => visit(base),
        E::Splat { value, .. } => visit(value),
        E::Swizzle { vector, .. } => visit(vector),
        E::Load { pointer } => visit(pointer),
        E::Unary { expr, .. } | E::As { expr, .. } => visit(expr),
        E::Binary { left, right, .. } => {
            visit(left);
            visit(right);
        }
        E::Select { condition, accept, reject } => {
            visit(condition);
            visit(accept);
            visit(reject);
        }
        E::Relational { argument, .. } => visit(argument),
        E::Math { arg, arg1, arg2, arg3, .. } => {
            [Some(arg), arg1, arg2, arg3].into_iter().flatten().for_each(visit);
        }
        E::ArrayLength(array) => visit(array),
        _ => {}
    }
}
