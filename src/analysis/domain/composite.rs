//! Parts of composites: vectors, arrays and structs, under constant and dynamic indexes.
//!
//! A dynamic index stands for every part that it may reach: a load gives their hull, a store may or may not
//! change each of them. Out of bounds, a load gives zero and a store does nothing.

use std::rc::Rc;

use super::arithmetic::Arithmetic;
use super::interval::{IntType, Interval};
use super::knowledge::Knowledge;
use super::linear::Linear;
use super::value::Value;

/// One step from a composite to its part.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    At(u32),
    Dynamic(IntType, Linear),
}

/// A part of a value: the hull of the parts that a dynamic index may reach, and zero out of bounds.
pub(crate) fn part(
    arithmetic: &mut Arithmetic,
    value: Value,
    parts: &[Part],
    known: &mut Knowledge,
) -> Value {
    let Some((first, rest)) = parts.split_first() else { return value };
    let Value::Many(all) = &value else { return Value::Unknown };
    let (ty, form) = match first {
        Part::At(index) => return part(arithmetic, value.component(*index as usize), rest, known),
        Part::Dynamic(ty, form) => (*ty, form),
    };
    let (range, _) = known.value_range(&arithmetic.symbols, form, ty);
    let last = all.len() as i128 - 1;
    let Some(inside) = range.meet(Interval::new(0, last.max(0))) else {
        return Value::Unknown;
    };
    let mut merged: Option<Value> = None;
    for element in &all[inside.lo as usize..=(inside.hi as usize).min(all.len() - 1)] {
        let part = part(arithmetic, element.clone(), rest, known);
        merged = Some(match merged {
            None => part,
            Some(so_far) => hull(arithmetic, &so_far, &part, known),
        });
    }
    let merged = merged.unwrap_or(Value::Unknown);
    if inside == range { merged } else { or_zero(arithmetic, &merged, known) }
}

/// Either the value or zeros.
fn or_zero(arithmetic: &mut Arithmetic, value: &Value, known: &mut Knowledge) -> Value {
    match value {
        Value::Int(ty, _) => hull(arithmetic, value, &Value::Int(*ty, Linear::constant(0)), known),
        Value::Many(parts) => {
            let parts = parts.iter().map(|p| or_zero(arithmetic, p, known)).collect();
            Value::Many(Rc::new(parts))
        }
        _ => Value::Unknown,
    }
}

/// A value that is one of two values of one path.
pub(crate) fn hull(
    arithmetic: &mut Arithmetic,
    a: &Value,
    b: &Value,
    known: &mut Knowledge,
) -> Value {
    match (a, b) {
        _ if a == b && *a != Value::Unknown => a.clone(),
        (Value::Int(ty, x), Value::Int(_, y)) => {
            let (x, _) = known.value_range(&arithmetic.symbols, x, *ty);
            let (y, _) = known.value_range(&arithmetic.symbols, y, *ty);
            arithmetic.any_of(*ty, x.hull(y), known)
        }
        (Value::Many(x), Value::Many(y)) if x.len() == y.len() => {
            let parts =
                x.iter().zip(y.iter()).map(|(x, y)| hull(arithmetic, x, y, known)).collect();
            Value::Many(Rc::new(parts))
        }
        _ => Value::Unknown,
    }
}

/// The value of a variable after a store to a part of it.
pub(crate) fn updated(
    arithmetic: &mut Arithmetic,
    value: Value,
    parts: &[Part],
    new: &Value,
    known: &mut Knowledge,
) -> Value {
    let Some((first, rest)) = parts.split_first() else { return new.clone() };
    let Value::Many(all) = &value else { return Value::Unknown };
    let mut all = all.as_ref().clone();
    match first {
        Part::At(index) => {
            let Some(slot) = all.get_mut(*index as usize) else { return value };
            let old = std::mem::replace(slot, Value::Unknown);
            let changed = updated(arithmetic, old, rest, new, known);
            all[*index as usize] = changed;
        }
        Part::Dynamic(ty, form) => {
            let (range, _) = known.value_range(&arithmetic.symbols, form, *ty);
            for (i, slot) in all.iter_mut().enumerate() {
                let here = Interval::single(i as i128);
                if range.meet(here).is_none() {
                    continue;
                }
                let changed = updated(arithmetic, slot.clone(), rest, new, known);
                *slot =
                    if range == here { changed } else { hull(arithmetic, slot, &changed, known) };
            }
        }
    }
    Value::Many(Rc::new(all))
}
