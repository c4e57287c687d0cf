//! Pointers: their variable, their offset, their dynamic indices, and the bounds checks.
//!
//! A pointer does not exist at run time. It is a root, a constant offset and at most two planes: the index into
//! a storage binding's runtime-sized array, and the sum of the other dynamic indices, which is `OUTSIDE` if one
//! of them is out of bounds. So each index is checked once. A load from a place out of bounds gives zero, and a
//! store to it does nothing.

use std::rc::Rc;

use naga::{AddressSpace, Expression, Handle, ScalarKind};

use super::addressing::{address, parts};
use super::bytecode::{Access, Memory, NONE, Op, Part};
use super::class::Class;
use super::compiler::{Compiler, Entry, Scope, Value};
use super::functions::{Reg, Unary};
use super::note::{Checked, Extent, Step};
use super::notes;
use super::place::{Place, Root};
use super::shape::{Kind, Measure, Shape};
use super::touch::Touch;
use crate::error::Result;

pub(in crate::cpu) fn local_place(
    c: &Compiler<'_>,
    handle: Handle<naga::LocalVariable>,
) -> Result<Place> {
    let base = *c.locals.get(&handle).ok_or_else(|| c.broken("an unknown variable"))?;
    let shape = Shape::Type(c.function.local_variables[handle].ty);
    let steps = notes::first_step(c, c.function.local_variables[handle].name.as_deref());
    Ok(Place::whole(Root::Local(base), 0, shape, steps))
}

pub(in crate::cpu) fn global_place(
    c: &Compiler<'_>,
    handle: Handle<naga::GlobalVariable>,
) -> Result<Place> {
    let var = &c.module.global_variables[handle];
    let binding = || {
        let bindings = &c.kernel.signature().bindings;
        bindings
            .iter()
            .position(|b| b.global == handle)
            .ok_or_else(|| c.broken("a resource that the signature lacks"))
    };
    let declared =
        || c.globals.get(&handle).copied().ok_or_else(|| c.broken("an unknown variable"));
    let (root, offset) = match var.space {
        AddressSpace::Private => (Root::Local(declared()?), 0),
        AddressSpace::WorkGroup => (Root::Workgroup, u64::from(declared()?) * 4),
        AddressSpace::Storage { .. } => (Root::Storage(binding()?), 0),
        AddressSpace::Uniform | AddressSpace::Immediate => (Root::Value(binding()?), 0),
        _ => {
            let span = c.module.global_variables.get_span(handle);
            return Err(c.unsupported("a variable of this address space", span));
        }
    };
    let steps = notes::first_step(c, var.name.as_deref());
    Ok(Place::whole(root, offset, Shape::Type(var.ty), steps))
}

/// The place of the element at a run-time index.
pub(in crate::cpu) fn indexed(
    c: &mut Compiler<'_>,
    place: &Place,
    index: Handle<Expression>,
    reg: Reg,
) -> Result<Place> {
    let signed = match c.shapes.scalar(c.shape(Scope::Function, index)?) {
        Some(scalar) => scalar.kind == ScalarKind::Sint,
        None => return Err(c.broken("an index that is not a scalar")),
    };
    element(c, place, reg, signed)
}

fn element(c: &mut Compiler<'_>, place: &Place, index: Reg, signed: bool) -> Result<Place> {
    let elements = c
        .shapes
        .elements(place.shape, place.root.measure())
        .ok_or_else(|| c.broken("an index into a value without elements"))?;
    let mut place = place.clone();
    place.shape = elements.shape;
    let stride = elements.stride * place.root.unit();
    let Some(bound) = elements.count else {
        // The place must not move when the variable that held the index changes.
        let index = notes::kept(c, index);
        if let (true, Root::Storage(binding)) = (c.watch.is_some(), place.root) {
            step(&mut place, index, signed, Extent::Elements(binding));
        }
        place.outer = Some((index, signed, stride));
        return Ok(place);
    };
    match c.known(index) {
        Some(known) if known < bound => {
            place.offset += u64::from(known) * stride;
            if c.watch.is_some() {
                place.steps.push(Step::Constant(known));
            }
        }
        _ => {
            if c.watch.is_some() {
                let index = notes::kept(c, index);
                step(&mut place, index, signed, Extent::Fixed(bound));
            }
            let base = place.inner.unwrap_or(NONE);
            let stride =
                u32::try_from(stride).map_err(|_| c.broken("an element of more than 4 GiB"))?;
            place.inner = Some(c.compute(|dst| Op::Index { dst, base, index, bound, stride }));
        }
    }
    Ok(place)
}

/// Appends a run-time index to the path of a place.
fn step(place: &mut Place, reg: Reg, signed: bool, extent: Extent) {
    place.checked.push(Checked { step: place.steps.len(), extent });
    place.steps.push(Step::Index { reg, signed });
}

/// The place of a member, or of the element at a constant index.
pub(in crate::cpu) fn member(c: &mut Compiler<'_>, place: &Place, index: u32) -> Result<Place> {
    let measure = place.root.measure();
    if let Some(elements) = c.shapes.elements(place.shape, measure)
        && elements.count.is_none()
    {
        let index = c.constant(index);
        return element(c, place, index, false);
    }
    let (shape, offset) = c
        .shapes
        .child(place.shape, index, measure)
        .ok_or_else(|| c.broken("a member that does not exist"))?;
    let offset = place.offset + offset * place.root.unit();
    let mut inside = Place { offset, shape, ..place.clone() };
    if c.watch.is_some() {
        inside.steps.push(match c.shapes.member_name(place.shape, index) {
            Some(name) => Step::Member(name.to_owned()),
            None if matches!(c.shapes.extent(place.shape), super::shape::Extent::Vector(_)) => {
                let names = ["x", "y", "z", "w"];
                Step::Member(names.get(index as usize).copied().unwrap_or("?").to_owned())
            }
            None => Step::Constant(index),
        });
    }
    Ok(inside)
}

/// The number of elements of a runtime-sized array in storage.
pub(in crate::cpu) fn array_length(c: &mut Compiler<'_>, place: &Place) -> Result<Reg> {
    match place.root {
        Root::Storage(binding) => Ok(c.compute(|dst| Op::ArrayLength { dst, binding })),
        _ => Err(c.broken("arrayLength outside of storage")),
    }
}

/// Records that workgroups may communicate through a place, if it is an atomic in storage.
fn meet(c: &mut Compiler<'_>, place: &Place) {
    c.storage_atomics |= matches!(place.root, Root::Storage(_)) && c.shapes.is_atomic(place.shape);
}

pub(in crate::cpu) fn load(c: &mut Compiler<'_>, place: &Place) -> Result<Entry> {
    notes::note_touch(c, place, Touch::Read)?;
    let mut regs: Vec<Reg> = Vec::new();
    if let Root::Local(base) = place.root {
        let first = base + place.offset as u32;
        for k in 0..c.flat(place.shape)? as u32 {
            let Some(index) = place.inner else {
                if c.copies {
                    let dst = c.register(Class::Temporary);
                    c.push(Op::Unary { f: Unary::Copy, dst, a: first + k });
                    regs.push(dst);
                    continue;
                }
                // A copy is made only when the variable changes: see `detach`.
                regs.push(first + k);
                continue;
            };
            let dst = c.register(Class::Temporary);
            c.push(Op::LocalLoad { dst, var: first + k, index });
            regs.push(dst);
        }
        return Ok(Entry::Value(regs.into()));
    }
    meet(c, place);
    let address = address(c, place)?;
    // A uniform's value at a constant place is launch-invariant.
    let invariant = matches!(address.memory, Memory::Value(_)) && address.inner == NONE;
    let class = if invariant { Class::Invariant } else { Class::Temporary };
    let mut loaded = Vec::new();
    for (offset, kind) in parts(c, place)? {
        let reg = c.register(class);
        regs.push(reg);
        let half = kind == Kind::F16 && address.memory != Memory::Workgroup;
        loaded.push(Part { reg, offset, half });
    }
    if invariant {
        let mask = c.constant(u32::MAX);
        c.preamble.push(Op::Load(Box::new(Access { address, parts: loaded, mask })));
    } else {
        let mask = c.exec;
        c.push(Op::Load(Box::new(Access { address, parts: loaded, mask })));
    }
    Ok(Entry::Value(regs.into()))
}

pub(in crate::cpu) fn store(c: &mut Compiler<'_>, place: &Place, value: &Value) -> Result<()> {
    notes::note_touch(c, place, Touch::Write)?;
    let mask = c.exec;
    if let Root::Local(base) = place.root {
        let first = base + place.offset as u32;
        for (k, &src) in value.iter().enumerate() {
            let var = first + k as u32;
            c.push(match place.inner {
                Some(index) => Op::LocalStore { var, index, src, mask },
                None if c.full => Op::Unary { f: Unary::Copy, dst: var, a: src },
                None => Op::Blend { var, src, mask },
            });
        }
        return Ok(());
    }
    meet(c, place);
    let address = address(c, place)?;
    let parts = parts(c, place)?
        .into_iter()
        .zip(value.iter())
        .map(|((offset, kind), &reg)| Part {
            reg,
            offset,
            half: kind == Kind::F16 && address.memory != Memory::Workgroup,
        })
        .collect();
    c.push(Op::Store(Box::new(Access { address, parts, mask })));
    Ok(())
}

/// The element of a value at a run-time index.
pub(in crate::cpu) fn pick(
    c: &mut Compiler<'_>,
    value: &Value,
    shape: Shape,
    index: Reg,
) -> Result<Value> {
    let elements = c
        .shapes
        .elements(shape, Measure::Flat)
        .ok_or_else(|| c.broken("an index into a value without elements"))?;
    let stride = elements.stride as usize;
    let count = value.len().checked_div(stride).unwrap_or(0);
    if let Some(known) = c.known(index)
        && (known as usize) < count
    {
        let at = known as usize * stride;
        return Ok(value[at..at + stride].into());
    }
    let regs: Rc<[Reg]> = (0..stride)
        .map(|k| {
            let planes = (0..count).map(|i| value[i * stride + k]).collect();
            c.compute(|dst| Op::Pick { dst, planes, index })
        })
        .collect();
    Ok(regs)
}
