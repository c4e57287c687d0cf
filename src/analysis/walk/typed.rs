//! Values of WGSL types: zeros, constants, values from bytes, and unknown ones.

use std::rc::Rc;

use naga::{Expression, Handle, Literal, Module, ScalarKind, Type, TypeInner};

use crate::analysis::domain::{Arithmetic, IntType, Knowledge, Linear, Value, int_type};
use crate::analysis::text::pointers::holds_integer;

/// Variables, unknown loads and zeros with more scalars than this are not tracked.
pub(crate) const MAX_LEAVES: usize = 64;
/// Uniforms and constant tables with more scalars than this are not tracked.
pub(crate) const MAX_TABLE: usize = 4096;

/// The number of scalars in a type.
pub(crate) fn leaves(module: &Module, ty: Handle<Type>) -> usize {
    match &module.types[ty].inner {
        TypeInner::Vector { size, .. } => *size as usize,
        TypeInner::Matrix { columns, rows, .. } => *columns as usize * *rows as usize,
        TypeInner::Array { base, size: naga::ArraySize::Constant(n), .. } => {
            leaves(module, *base).saturating_mul(n.get() as usize)
        }
        TypeInner::Array { .. } => usize::MAX,
        TypeInner::Struct { members, .. } => {
            members.iter().map(|m| leaves(module, m.ty)).fold(0, usize::saturating_add)
        }
        _ => 1,
    }
}

/// The value of a type. `scalar` gives each scalar, from its kind and byte offset.
fn build(
    module: &Module,
    ty: Handle<Type>,
    offset: usize,
    scalar: &mut impl FnMut(ScalarKind, usize) -> Value,
) -> Value {
    match &module.types[ty].inner {
        TypeInner::Scalar(s) | TypeInner::Atomic(s) => scalar(s.kind, offset),
        TypeInner::Vector { size, scalar: s } => {
            let width = usize::from(s.width);
            let parts = (0..*size as usize).map(|i| scalar(s.kind, offset + i * width));
            Value::Many(Rc::new(parts.collect()))
        }
        TypeInner::Array { base, size: naga::ArraySize::Constant(n), stride } => {
            let parts = (0..n.get() as usize)
                .map(|i| build(module, *base, offset + i * *stride as usize, scalar));
            Value::Many(Rc::new(parts.collect()))
        }
        TypeInner::Struct { members, .. } => {
            let parts =
                members.iter().map(|m| build(module, m.ty, offset + m.offset as usize, scalar));
            Value::Many(Rc::new(parts.collect()))
        }
        _ => Value::Unknown,
    }
}

pub(crate) fn zero(module: &Module, ty: Handle<Type>) -> Value {
    if leaves(module, ty) > MAX_TABLE {
        return Value::Unknown;
    }
    build(module, ty, 0, &mut |kind, _| match kind {
        ScalarKind::Bool => Value::bool(false),
        kind => int_type(kind).map_or(Value::Unknown, |t| Value::Int(t, Linear::constant(0))),
    })
}

pub(crate) fn decode(module: &Module, ty: Handle<Type>, bytes: &[u8]) -> Value {
    build(module, ty, 0, &mut |kind, offset| {
        let word = bytes.get(offset..offset + 4).and_then(|b| b.try_into().ok());
        match (int_type(kind), word.map(i32::from_le_bytes)) {
            (Some(ty), Some(word)) => Value::Int(ty, Linear::constant(word.into())),
            _ => Value::Unknown,
        }
    })
}

/// Any value of a type: a new symbol for each integer.
pub(crate) fn unknown(
    arithmetic: &mut Arithmetic,
    module: &Module,
    ty: Handle<Type>,
    known: &mut Knowledge,
) -> Value {
    complete(arithmetic, module, Value::Unknown, ty, known)
}

/// The same value, with a new symbol for each unknown integer.
pub(crate) fn complete(
    arithmetic: &mut Arithmetic,
    module: &Module,
    value: Value,
    ty: Handle<Type>,
    known: &mut Knowledge,
) -> Value {
    let inner = &module.types[ty].inner;
    if !holds_integer(module, inner) {
        return value;
    }
    match (inner, value) {
        (TypeInner::Scalar(s) | TypeInner::Atomic(s), Value::Unknown) => {
            unknown_scalar(arithmetic, s.kind, known)
        }
        (_, Value::Unknown) if leaves(module, ty) > MAX_LEAVES => Value::Unknown,
        (TypeInner::Vector { size, scalar }, Value::Unknown) => {
            let parts = (0..*size as usize).map(|_| unknown_scalar(arithmetic, scalar.kind, known));
            Value::Many(Rc::new(parts.collect()))
        }
        (TypeInner::Array { base, size: naga::ArraySize::Constant(n), .. }, Value::Unknown) => {
            let parts = (0..n.get()).map(|_| unknown(arithmetic, module, *base, known)).collect();
            Value::Many(Rc::new(parts))
        }
        (TypeInner::Struct { members, .. }, Value::Unknown) => {
            let parts = members.iter().map(|m| unknown(arithmetic, module, m.ty, known)).collect();
            Value::Many(Rc::new(parts))
        }
        (_, Value::Many(parts)) if has_unknown(&parts) => {
            let each = |i: usize| match inner {
                TypeInner::Array { base, .. } => Some(*base),
                TypeInner::Struct { members, .. } => members.get(i).map(|m| m.ty),
                _ => None,
            };
            let done = parts.iter().enumerate().map(|(i, part)| match (each(i), inner) {
                (Some(ty), _) => complete(arithmetic, module, part.clone(), ty, known),
                (None, TypeInner::Vector { scalar, .. }) if *part == Value::Unknown => {
                    unknown_scalar(arithmetic, scalar.kind, known)
                }
                (None, _) => part.clone(),
            });
            Value::Many(Rc::new(done.collect()))
        }
        (_, value) => value,
    }
}

pub(crate) fn unknown_scalar(
    arithmetic: &mut Arithmetic,
    kind: ScalarKind,
    known: &mut Knowledge,
) -> Value {
    match int_type(kind) {
        Some(ty) => arithmetic.any_of(ty, ty.range(), known),
        None => Value::Unknown,
    }
}

/// A constant expression of the module.
pub(crate) fn constant(module: &Module, handle: Handle<Expression>) -> Value {
    match &module.global_expressions[handle] {
        Expression::Literal(literal) => literal_value(*literal),
        Expression::Constant(named) => constant(module, module.constants[*named].init),
        Expression::ZeroValue(ty) => zero(module, *ty),
        // Constants may use another one many times, at each of many levels.
        Expression::Compose { ty, components } if leaves(module, *ty) <= MAX_TABLE => {
            let parts: Vec<_> = components.iter().map(|c| constant(module, *c)).collect();
            compose(module, *ty, parts)
        }
        Expression::Splat { size, value } => {
            Value::Many(Rc::new(vec![constant(module, *value); *size as usize]))
        }
        _ => Value::Unknown,
    }
}

pub(crate) fn compose(module: &Module, ty: Handle<Type>, parts: Vec<Value>) -> Value {
    match &module.types[ty].inner {
        TypeInner::Vector { size, .. } => {
            let mut flat = Vec::new();
            for part in parts {
                match part {
                    Value::Many(inner) => flat.extend(inner.iter().cloned()),
                    part => flat.push(part),
                }
            }
            // An unknown vector does not show its length.
            let full = flat.len() == *size as usize;
            if full { Value::Many(Rc::new(flat)) } else { Value::Unknown }
        }
        TypeInner::Array { .. } | TypeInner::Struct { .. } => Value::Many(Rc::new(parts)),
        _ => Value::Unknown,
    }
}

fn has_unknown(parts: &[Value]) -> bool {
    parts.iter().any(|part| match part {
        Value::Unknown => true,
        Value::Many(inner) => has_unknown(inner),
        _ => false,
    })
}

pub(crate) fn literal_value(literal: Literal) -> Value {
    match literal {
        Literal::U32(v) => Value::Int(IntType::U32, Linear::constant(v.into()).wrapped()),
        Literal::I32(v) => Value::Int(IntType::I32, Linear::constant(v.into())),
        Literal::Bool(b) => Value::bool(b),
        _ => Value::Unknown,
    }
}
