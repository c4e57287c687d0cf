//! Translates expressions to planes: construction, access, conversion, and the operators.
//!
//! An expression is evaluated at the `Emit` that covers it, or, if it is a constant that is never emitted, at
//! its first use. Operands come earlier in the arena; an explicit stack holds those that are not evaluated yet.
//! Built-in functions are in `numeric`.

use std::rc::Rc;

use naga::{BinaryOperator, Expression, Handle, Literal, ScalarKind, Span, UnaryOperator};

use super::bytecode::Builtin;
use super::compiler::{Compiler, Entry, Scope, Value};
use super::functions::{Binary, Reg, Unary};
use super::place::Place;
use super::shape::{Extent, Kind};
use super::{notes, numeric, places};
use crate::error::Result;

/// How many of the following expressions are searched for a use of an expression.
const USE_IS_NEAR: usize = 64;

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

/// Evaluates an expression and its operands, unless that has been done.
pub(in crate::cpu) fn ensure(
    c: &mut Compiler<'_>,
    scope: Scope,
    handle: Handle<Expression>,
) -> Result<()> {
    let mut stack = vec![(scope, handle)];
    while let Some(&(scope, handle)) = stack.last() {
        if c.entry(scope, handle).is_some() {
            stack.pop();
            continue;
        }
        let expression = c.expression(scope, handle);
        let ready = stack.len();
        let mut need = |scope: Scope, operand: Handle<Expression>| {
            if c.entry(scope, operand).is_none() {
                stack.push((scope, operand));
            }
        };
        if let Expression::Constant(constant) = *expression {
            need(Scope::Global, c.module.constants[constant].init);
        }
        operands(expression, &mut |operand| need(scope, operand));
        if stack.len() == ready {
            stack.pop();
            let span = known_span(c, scope, handle);
            let outer = std::mem::replace(&mut c.span, span);
            let entry = evaluate(c, scope, handle)?;
            if scope == Scope::Function {
                notes::note_computed(c, handle, &entry)?;
            }
            c.span = outer;
            c.set(scope, handle, entry);
        }
    }
    Ok(())
}

/// The source of an expression. If naga records none, as for a variable that is read by its name alone, the
/// source of a user of the expression.
fn known_span(c: &Compiler<'_>, scope: Scope, handle: Handle<Expression>) -> Span {
    let span = c.expression_span(scope, handle);
    if span.is_defined() || c.watch.is_none() || scope == Scope::Global {
        return span;
    }
    let later = c.function.expressions.iter().skip(handle.index() + 1).take(USE_IS_NEAR);
    for (user, expression) in later {
        let mut uses = false;
        operands(expression, &mut |operand| uses |= operand == handle);
        let span = c.expression_span(scope, user);
        if uses && span.is_defined() {
            return span;
        }
    }
    c.span
}

fn evaluate(c: &mut Compiler<'_>, scope: Scope, handle: Handle<Expression>) -> Result<Entry> {
    use Expression as E;
    let value = |regs: Vec<Reg>| Ok(Entry::Value(regs.into()));
    match *c.expression(scope, handle) {
        E::Literal(literal) => {
            let bits = match literal {
                Literal::F32(x) => x.to_bits(),
                Literal::F16(x) => x.to_f32().to_bits(),
                Literal::U32(x) => x,
                Literal::I32(x) => x as u32,
                Literal::Bool(x) => 0u32.wrapping_sub(u32::from(x)),
                Literal::AbstractInt(x) => x as u32,
                Literal::AbstractFloat(x) => (x as f32).to_bits(),
                _ => return Err(c.unsupported("a scalar of 16 or 64 bits", c.span)),
            };
            value(vec![c.constant(bits)])
        }
        E::Constant(constant) => {
            let init = c.module.constants[constant].init;
            Ok(Entry::Value(c.ready_value(Scope::Global, init)?))
        }
        E::ZeroValue(ty) => {
            let count = c.planes(super::shape::Shape::Type(ty))?;
            let zero = c.constant(0);
            value(vec![zero; count as usize])
        }
        E::Compose { ty, ref components } => {
            let count = c.planes(super::shape::Shape::Type(ty))?;
            let mut regs = Vec::with_capacity(count as usize);
            for &component in components {
                regs.extend_from_slice(&c.ready_value(scope, component)?);
            }
            value(regs)
        }
        E::Splat { size, value: scalar } => {
            let scalar = ready_scalar(c, scope, scalar)?;
            value(vec![scalar; size as usize])
        }
        E::Swizzle { size, vector, pattern } => {
            let vector = c.ready_value(scope, vector)?;
            value(pattern[..size as usize].iter().map(|c| vector[*c as usize]).collect())
        }
        E::Access { base, index } => {
            let reg = ready_scalar(c, scope, index)?;
            if scope == Scope::Function {
                notes::note_made(c, index)?;
            }
            match c.entry(scope, base).cloned() {
                Some(Entry::Place(place)) => {
                    Ok(Entry::Place(places::indexed(c, &place, index, reg)?))
                }
                Some(Entry::Value(whole)) => {
                    let shape = c.shape(scope, base)?;
                    if scope == Scope::Function {
                        let signed = c.kind(scope, index)? == Kind::I32;
                        let count = notes::value_count(c, &whole, shape);
                        notes::note_pick(c, base, reg, signed, count);
                    }
                    Ok(Entry::Value(places::pick(c, &whole, shape, reg)?))
                }
                None => Err(c.broken("an index into an expression without a value")),
            }
        }
        E::AccessIndex { base, index } => match c.entry(scope, base).cloned() {
            Some(Entry::Place(place)) => Ok(Entry::Place(places::member(c, &place, index)?)),
            Some(Entry::Value(whole)) => {
                let shape = c.shape(scope, base)?;
                let (child, at) = c
                    .shapes
                    .child(shape, index, super::shape::Measure::Flat)
                    .ok_or_else(|| c.broken("a member that does not exist"))?;
                let count = c.flat(child)? as usize;
                Ok(Entry::Value(whole[at as usize..at as usize + count].into()))
            }
            None => Err(c.broken("a member of an expression without a value")),
        },
        E::FunctionArgument(index) => argument(c, index),
        E::GlobalVariable(global) => Ok(Entry::Place(places::global_place(c, global)?)),
        E::LocalVariable(local) => Ok(Entry::Place(places::local_place(c, local)?)),
        E::Load { pointer } => {
            let place = ready_place(c, scope, pointer)?;
            places::load(c, &place)
        }
        E::Unary { op, expr } => {
            let kind = c.kind(scope, expr)?;
            let f = match (op, kind) {
                (UnaryOperator::Negate, Kind::F32 | Kind::F16) => Unary::NegF,
                (UnaryOperator::Negate, _) => Unary::NegI,
                (UnaryOperator::LogicalNot | UnaryOperator::BitwiseNot, _) => Unary::Not,
            };
            let operand = c.ready_value(scope, expr)?;
            value(operand.iter().map(|&a| c.unary(f, a)).collect())
        }
        E::Binary { op, left, right } => Ok(Entry::Value(operator(c, scope, op, left, right)?)),
        E::Select { condition, accept, reject } => {
            let condition = c.ready_value(scope, condition)?;
            let accept = c.ready_value(scope, accept)?;
            let reject = c.ready_value(scope, reject)?;
            let regs = (0..accept.len())
                .map(|k| {
                    let condition = condition[if condition.len() == 1 { 0 } else { k }];
                    c.select(condition, accept[k], reject[k])
                })
                .collect();
            value(regs)
        }
        E::Relational { fun, argument } => {
            use naga::RelationalFunction as R;
            let operand = c.ready_value(scope, argument)?;
            let reg = match fun {
                R::All => fold(c, Binary::And, &operand),
                R::Any => fold(c, Binary::Or, &operand),
                R::IsNan | R::IsInf => {
                    let f = if fun == R::IsNan { Unary::IsNan } else { Unary::IsInf };
                    return value(operand.iter().map(|&a| c.unary(f, a)).collect());
                }
            };
            value(vec![reg?])
        }
        E::Math { fun, arg, arg1, arg2, arg3 } => {
            Ok(Entry::Value(numeric::math(c, scope, fun, [Some(arg), arg1, arg2, arg3])?))
        }
        E::As { expr, kind, convert: width } => convert(c, scope, expr, kind, width),
        E::ArrayLength(array) => {
            let place = ready_place(c, scope, array)?;
            value(vec![places::array_length(c, &place)?])
        }
        _ => Err(c.unsupported("this expression in the CPU's interpreter", c.span)),
    }
}

pub(in crate::cpu) fn ready_scalar(
    c: &Compiler<'_>,
    scope: Scope,
    handle: Handle<Expression>,
) -> Result<Reg> {
    match c.ready_value(scope, handle)?[..] {
        [reg] => Ok(reg),
        _ => Err(c.broken("a scalar was expected")),
    }
}

fn ready_place(c: &Compiler<'_>, scope: Scope, handle: Handle<Expression>) -> Result<Place> {
    match c.entry(scope, handle) {
        Some(Entry::Place(place)) => Ok(place.clone()),
        _ => Err(c.broken("a pointer was expected")),
    }
}

/// Folds planes from the left.
pub(in crate::cpu) fn fold(c: &mut Compiler<'_>, f: Binary, regs: &[Reg]) -> Result<Reg> {
    let mut rest = regs.iter();
    let first = *rest.next().ok_or_else(|| c.broken("a value without planes"))?;
    Ok(rest.fold(first, |sum, &reg| c.binary(f, sum, reg)))
}

/// An argument of the entry point: a built-in value, or a struct of them.
fn argument(c: &mut Compiler<'_>, index: u32) -> Result<Entry> {
    use naga::TypeInner as Ti;
    let argument = &c.function.arguments[index as usize];
    let mut wanted = Vec::new();
    match (&argument.binding, &c.module.types[argument.ty].inner) {
        (Some(binding), _) => wanted.push(binding.clone()),
        (None, Ti::Struct { members, .. }) => {
            for member in members {
                wanted.push(
                    member
                        .binding
                        .clone()
                        .ok_or_else(|| c.broken("an argument that is not a built-in value"))?,
                );
            }
        }
        _ => return Err(c.broken("an argument that is not a built-in value")),
    }
    let mut regs: Vec<Reg> = Vec::new();
    for binding in wanted {
        use naga::BuiltIn as B;
        let naga::Binding::BuiltIn(builtin) = binding else {
            return Err(c.broken("an argument that is not a built-in value"));
        };
        if matches!(
            builtin,
            B::NumSubgroups | B::SubgroupId | B::SubgroupSize | B::SubgroupInvocationId
        ) {
            c.subgroups = true;
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
                        for extent in c.kernel.signature().workgroup_size {
                            let extent = c.constant(extent);
                            regs.push(extent);
                        }
                        continue;
                    }
                    _ => {
                        return Err(c.unsupported("this built-in value", c.span));
                    }
                };
                regs.push(c.builtin(one));
                continue;
            }
        };
        regs.extend((0..3).map(|axis| c.builtin(three(axis))).collect::<Vec<_>>());
    }
    Ok(Entry::Value(regs.into()))
}

fn operator(
    c: &mut Compiler<'_>,
    scope: Scope,
    op: BinaryOperator,
    left: Handle<Expression>,
    right: Handle<Expression>,
) -> Result<Value> {
    let kind = c.kind(scope, left)?;
    let extents = (c.shapes.extent(c.shape(scope, left)?), c.shapes.extent(c.shape(scope, right)?));
    let (a, b) = (c.ready_value(scope, left)?, c.ready_value(scope, right)?);
    if op == BinaryOperator::Multiply {
        match extents {
            (Extent::Matrix(columns, rows), Extent::Matrix(..) | Extent::Vector(_)) => {
                let product = b
                    .chunks(columns)
                    .flat_map(|column| (0..rows).map(move |row| (column, row)))
                    .map(|(column, row)| {
                        let line: Vec<Reg> = (0..columns).map(|k| a[k * rows + row]).collect();
                        numeric::dot(c, kind, &line, column)
                    })
                    .collect::<Result<Rc<[Reg]>>>();
                return product;
            }
            (Extent::Vector(_), Extent::Matrix(_, rows)) => {
                return b.chunks(rows).map(|column| numeric::dot(c, kind, &a, column)).collect();
            }
            _ => {}
        }
    }
    let count = a.len().max(b.len());
    (0..count)
        .map(|k| {
            let a = a[if a.len() == 1 { 0 } else { k }];
            let b = b[if b.len() == 1 { 0 } else { k }];
            scalar_operator(c, op, kind, a, b)
        })
        .collect()
}

fn scalar_operator(
    c: &mut Compiler<'_>,
    op: BinaryOperator,
    kind: Kind,
    a: Reg,
    b: Reg,
) -> Result<Reg> {
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
    let reg = c.binary(f, a, b);
    let arithmetic = matches!(f, Binary::AddF | Binary::SubF | Binary::MulF | Binary::DivF);
    Ok(if arithmetic { c.rounded(kind, reg) } else { reg })
}

/// Conversions by value, and bit casts, which cost nothing except with f16.
fn convert(
    c: &mut Compiler<'_>,
    scope: Scope,
    expr: Handle<Expression>,
    to: ScalarKind,
    width: Option<u8>,
) -> Result<Entry> {
    let from = c.kind(scope, expr)?;
    let operand = c.ready_value(scope, expr)?;
    let Some(width) = width else {
        return match (from, to) {
            (Kind::F16, ScalarKind::Float) => Ok(Entry::Value(operand)),
            (Kind::F16 | Kind::Bool, _) => {
                Err(c.unsupported("a bit cast between f16 or bool and others", c.span))
            }
            _ => Ok(Entry::Value(operand)),
        };
    };
    let to = Kind::of(naga::Scalar { kind: to, width })
        .ok_or_else(|| c.unsupported("a conversion to 16 or 64 bits", c.span))?;
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
    Ok(Entry::Value(operand.iter().map(|&a| c.unary(f, a)).collect()))
}

/// The planes of an expression of the entry point.
pub(in crate::cpu) fn value(c: &mut Compiler<'_>, handle: Handle<Expression>) -> Result<Value> {
    ensure(c, Scope::Function, handle)?;
    c.ready_value(Scope::Function, handle)
}

/// The one plane of a scalar expression of the entry point.
pub(in crate::cpu) fn scalar_value(
    c: &mut Compiler<'_>,
    handle: Handle<Expression>,
) -> Result<Reg> {
    let value = value(c, handle)?;
    value.first().copied().ok_or_else(|| c.broken("a scalar without a plane"))
}

/// The place of a pointer expression of the entry point.
pub(in crate::cpu) fn place(c: &mut Compiler<'_>, handle: Handle<Expression>) -> Result<Place> {
    ensure(c, Scope::Function, handle)?;
    match c.entry(Scope::Function, handle) {
        Some(Entry::Place(place)) => Ok(place.clone()),
        _ => Err(c.broken("a value is used as a pointer")),
    }
}
