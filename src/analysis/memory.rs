//! Loads and stores: variables part by part, uniforms, and the contents of buffers.
//!
//! A dynamic index means every part that it may reach: a load gives their hull, a store changes
//! each of them or does not. Outside, a load gives zero and a store does nothing. Storage that
//! the kernel writes, workgroup memory and floats hold anything.

use std::rc::Rc;

use naga::{Expression, Handle, ScalarKind, Type, TypeInner};

use super::Argument;
use super::footprint::Kind;
use super::interval::Interval;
use super::linear::Linear;
use super::machine::{Machine, Part, State, int_type};
use super::program::Root;
use super::value::Value;
use crate::kernel::Space;

/// The integers that were found in a buffer.
pub(super) struct Scan {
    /// Binding, byte offset in the element, first and last element.
    place: (usize, u64, u64, u64),
    range: Interval,
}

impl Machine<'_> {
    pub(super) fn load(&mut self, pointer: Handle<Expression>, state: &mut State) -> Value {
        let (root, parts) = self.path(pointer, state);
        match root {
            Some(Root::Variable(variable)) => {
                let whole = state.variables[variable].clone();
                self.part(whole, &parts, state)
            }
            Some(Root::Uniform(id)) => self.part(self.uniforms[id].clone(), &parts, state),
            Some(Root::Storage(id)) => self.load_storage(id, &parts, pointer, state),
            _ => Value::Unknown,
        }
    }

    /// A part of a value: the hull of what a dynamic index may reach, and zero outside.
    pub(super) fn part(&mut self, value: Value, parts: &[Part], state: &mut State) -> Value {
        let Some((first, rest)) = parts.split_first() else { return value };
        let Value::Many(all) = &value else { return Value::Unknown };
        let (ty, form) = match first {
            Part::At(index) => return self.part(value.component(*index as usize), rest, state),
            Part::Dynamic(ty, form) => (*ty, form),
        };
        let (range, _) = state.known.value_range(&self.symbols, form, ty);
        let last = all.len() as i128 - 1;
        let Some(inside) = range.meet(Interval::new(0, last.max(0))) else {
            return Value::Unknown;
        };
        let mut merged: Option<Value> = None;
        for element in &all[inside.lo as usize..=(inside.hi as usize).min(all.len() - 1)] {
            let part = self.part(element.clone(), rest, state);
            merged = Some(match merged {
                None => part,
                Some(so_far) => self.hull(&so_far, &part, state),
            });
        }
        let merged = merged.unwrap_or(Value::Unknown);
        if inside == range { merged } else { self.or_zero(&merged, state) }
    }

    /// Either the value or zeros.
    fn or_zero(&mut self, value: &Value, state: &mut State) -> Value {
        match value {
            Value::Int(ty, _) => self.hull(value, &Value::Int(*ty, Linear::constant(0)), state),
            Value::Many(parts) => {
                let parts = parts.iter().map(|p| self.or_zero(p, state)).collect();
                Value::Many(Rc::new(parts))
            }
            _ => Value::Unknown,
        }
    }

    /// A value that is one of two of the same path.
    pub(super) fn hull(&mut self, a: &Value, b: &Value, state: &mut State) -> Value {
        match (a, b) {
            _ if a == b && *a != Value::Unknown => a.clone(),
            (Value::Int(ty, x), Value::Int(_, y)) => {
                let (x, _) = state.known.value_range(&self.symbols, x, *ty);
                let (y, _) = state.known.value_range(&self.symbols, y, *ty);
                self.any_of(*ty, x.hull(y), state)
            }
            (Value::Many(x), Value::Many(y)) if x.len() == y.len() => {
                let parts = x.iter().zip(y.iter()).map(|(x, y)| self.hull(x, y, state)).collect();
                Value::Many(Rc::new(parts))
            }
            _ => Value::Unknown,
        }
    }

    /// The value of a variable after a part of it has been stored to.
    pub(super) fn updated(
        &mut self,
        value: Value,
        parts: &[Part],
        new: &Value,
        state: &mut State,
    ) -> Value {
        let Some((first, rest)) = parts.split_first() else { return new.clone() };
        let Value::Many(all) = &value else { return Value::Unknown };
        let mut all = all.as_ref().clone();
        match first {
            Part::At(index) => {
                let Some(slot) = all.get_mut(*index as usize) else { return value };
                let old = std::mem::replace(slot, Value::Unknown);
                let changed = self.updated(old, rest, new, state);
                all[*index as usize] = changed;
            }
            Part::Dynamic(ty, form) => {
                let (range, _) = state.known.value_range(&self.symbols, form, *ty);
                for (i, slot) in all.iter_mut().enumerate() {
                    let here = Interval::single(i as i128);
                    if range.meet(here).is_none() {
                        continue;
                    }
                    let changed = self.updated(slot.clone(), rest, new, state);
                    *slot = if range == here { changed } else { self.hull(slot, &changed, state) };
                }
            }
        }
        Value::Many(Rc::new(all))
    }

    /// An element of a storage buffer: recorded as read, and looked up where the host has it.
    fn load_storage(
        &mut self,
        id: usize,
        parts: &[Part],
        pointer: Handle<Expression>,
        state: &mut State,
    ) -> Value {
        let span = self.kernel.entry_point().function.expressions.get_span(pointer);
        let Some(element) = self.access(id, parts, state, span, Kind::Read) else {
            return Value::Unknown;
        };
        let Some(Argument::Storage { elements, contents: Some(contents) }) =
            self.arguments.map(|a| &a.bindings[id])
        else {
            return Value::Unknown;
        };
        let binding = &self.kernel.signature().bindings[id];
        let (rest, ty, raw) = element;
        let Some((kind, offset)) = self.scalar_at(ty, rest) else { return Value::Unknown };
        let Some(int) = int_type(kind) else { return Value::Unknown };
        let Some(inside) = raw.meet(Interval::new(0, i128::from(*elements) - 1)) else {
            return Value::Int(int, Linear::constant(0));
        };
        let (first, last) = (inside.lo as u64, inside.hi as u64);
        if binding.space == Space::StorageWrite || !self.program.steers[pointer.index()] {
            return Value::Unknown;
        }
        self.recorder.consulted(id);
        let place = (id, offset, first, last);
        let mut range = match self.scanned.iter().find(|s| s.place == place) {
            Some(done) => done.range,
            None => {
                let layout = &binding.layout;
                let series = (layout.header + offset, layout.stride, *elements);
                let Some(range) = contents.range(int, series, first, last) else {
                    return Value::Unknown;
                };
                self.scanned.push(Scan { place, range });
                range
            }
        };
        if inside != raw {
            range = range.hull(Interval::single(0));
        }
        self.any_of(int, range, state)
    }

    /// The kind and byte offset of a scalar inside a type, where all steps are constant.
    fn scalar_at(&self, ty: Handle<Type>, parts: &[Part]) -> Option<(ScalarKind, u64)> {
        let index = match parts.first() {
            None => {
                return match self.inner(ty) {
                    TypeInner::Scalar(s) if s.width == 4 => Some((s.kind, 0)),
                    _ => None,
                };
            }
            Some(Part::At(index)) => *index,
            Some(Part::Dynamic(_, form)) => u32::try_from(form.as_constant()?).ok()?,
        };
        let (inner, offset) = match self.inner(ty) {
            TypeInner::Vector { size, scalar } => {
                let inside = index < *size as u32 && parts.len() == 1 && scalar.width == 4;
                return inside.then_some((scalar.kind, u64::from(index) * 4));
            }
            TypeInner::Array { base, size: naga::ArraySize::Constant(n), stride } => {
                if index >= n.get() {
                    return None;
                }
                (*base, u64::from(index) * u64::from(*stride))
            }
            TypeInner::Struct { members, .. } => {
                let member = members.get(index as usize)?;
                (member.ty, u64::from(member.offset))
            }
            _ => return None,
        };
        let (kind, more) = self.scalar_at(inner, &parts[1..])?;
        Some((kind, offset + more))
    }
}
