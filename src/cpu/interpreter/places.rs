//! Pointers: what variable, at which offset, with which dynamic indices, and is it inside.
//!
//! A pointer never exists at run time. It is a root, a constant offset and at most two planes:
//! the index into a storage binding's runtime-sized array, and a sum of the other dynamic
//! indices, which is `OUTSIDE` as soon as one of them is out of bounds. So a check is made once
//! for each index, and a place out of bounds reads as zero and is not written.

use std::rc::Rc;

use naga::{AddressSpace, Expression, Handle, ScalarKind};

use super::bytecode::{Access, Address, Memory, NONE, Op, Part};
use super::compile::{Class, Compiler, Entry, Scope, Value};
use super::functions::{Reg, Unary};
use super::note::{Checked, Extent, Step};
use super::probe::Touch;
use super::shape::{Kind, Measure, Shape};
use crate::error::Result;
use crate::kernel::BindingId;

/// The variable that a pointer points into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Root {
    /// The first plane of a variable of the function or private address space.
    Local(Reg),
    Workgroup,
    Storage(BindingId),
    Value(BindingId),
}

impl Root {
    fn measure(self) -> Measure {
        match self {
            Root::Local(_) | Root::Workgroup => Measure::Flat,
            Root::Storage(_) | Root::Value(_) => Measure::Bytes,
        }
    }

    /// What one unit of the measure is in the unit of the addresses.
    fn unit(self) -> u64 {
        if self == Root::Workgroup { 4 } else { 1 }
    }
}

/// A pointer, as far as it is known while compiling.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct Place {
    pub(in crate::cpu) root: Root,
    /// In planes for a local variable, else in bytes.
    offset: u64,
    /// The index into a runtime-sized array, whether it is signed, and the array's stride.
    outer: Option<(Reg, bool, u64)>,
    /// The sum of the other dynamic indices, in the unit of `offset`.
    inner: Option<Reg>,
    pub(in crate::cpu) shape: Shape,
    /// How the text gets there, and which steps need a check; both empty unless watched.
    pub(super) steps: Vec<Step>,
    pub(super) checked: Vec<Checked>,
}

impl Place {
    fn whole(root: Root, offset: u64, shape: Shape, steps: Vec<Step>) -> Place {
        Place { root, offset, outer: None, inner: None, shape, steps, checked: Vec::new() }
    }

    /// The first plane of a place in a local variable, from the variable's first on.
    pub(super) fn first_plane(&self) -> u32 {
        self.offset as u32
    }

    /// The sum of the run-time indices into what has a fixed number of elements.
    pub(super) fn inner_index(&self) -> Option<Reg> {
        self.inner
    }
}

impl Compiler<'_> {
    pub(in crate::cpu) fn local_place(&self, handle: Handle<naga::LocalVariable>) -> Result<Place> {
        let base = *self.locals.get(&handle).ok_or_else(|| self.broken("an unknown variable"))?;
        let shape = Shape::Type(self.function.local_variables[handle].ty);
        let steps = self.first_step(self.function.local_variables[handle].name.as_deref());
        Ok(Place::whole(Root::Local(base), 0, shape, steps))
    }

    pub(in crate::cpu) fn global_place(
        &self,
        handle: Handle<naga::GlobalVariable>,
    ) -> Result<Place> {
        let var = &self.module.global_variables[handle];
        let binding = || {
            let bindings = &self.kernel.signature().bindings;
            bindings
                .iter()
                .position(|b| b.global == handle)
                .ok_or_else(|| self.broken("a resource that the signature lacks"))
        };
        let declared =
            || self.globals.get(&handle).copied().ok_or_else(|| self.broken("an unknown variable"));
        let (root, offset) = match var.space {
            AddressSpace::Private => (Root::Local(declared()?), 0),
            AddressSpace::WorkGroup => (Root::Workgroup, u64::from(declared()?) * 4),
            AddressSpace::Storage { .. } => (Root::Storage(binding()?), 0),
            AddressSpace::Uniform | AddressSpace::Immediate => (Root::Value(binding()?), 0),
            _ => {
                let span = self.module.global_variables.get_span(handle);
                return Err(self.unsupported("a variable of this address space", span));
            }
        };
        let steps = self.first_step(var.name.as_deref());
        Ok(Place::whole(root, offset, Shape::Type(var.ty), steps))
    }

    /// The place of an element that a run-time index selects.
    pub(in crate::cpu) fn indexed(
        &mut self,
        place: &Place,
        index: Handle<Expression>,
        reg: Reg,
    ) -> Result<Place> {
        let signed = match self.shapes.scalar(self.shape(Scope::Function, index)?) {
            Some(scalar) => scalar.kind == ScalarKind::Sint,
            None => return Err(self.broken("an index that is no scalar")),
        };
        self.element(place, reg, signed)
    }

    fn element(&mut self, place: &Place, index: Reg, signed: bool) -> Result<Place> {
        let elements = self
            .shapes
            .elements(place.shape, place.root.measure())
            .ok_or_else(|| self.broken("an index into what has no elements"))?;
        let mut place = place.clone();
        place.shape = elements.shape;
        let stride = elements.stride * place.root.unit();
        let Some(bound) = elements.count else {
            // The place stays where it is when the variable changes.
            let index = self.kept(index);
            if let (true, Root::Storage(binding)) = (self.watch.is_some(), place.root) {
                self.step(&mut place, index, signed, Extent::Elements(binding));
            }
            place.outer = Some((index, signed, stride));
            return Ok(place);
        };
        match self.known(index) {
            Some(known) if known < bound => {
                place.offset += u64::from(known) * stride;
                if self.watch.is_some() {
                    place.steps.push(Step::Constant(known));
                }
            }
            _ => {
                if self.watch.is_some() {
                    let index = self.kept(index);
                    self.step(&mut place, index, signed, Extent::Fixed(bound));
                }
                let base = place.inner.unwrap_or(NONE);
                let stride = u32::try_from(stride)
                    .map_err(|_| self.broken("an element of more than 4 GiB"))?;
                place.inner =
                    Some(self.compute(|dst| Op::Index { dst, base, index, bound, stride }));
            }
        }
        Ok(place)
    }

    /// Adds a run-time index to what is known of a place.
    fn step(&self, place: &mut Place, reg: Reg, signed: bool, extent: Extent) {
        place.checked.push(Checked { step: place.steps.len(), extent });
        place.steps.push(Step::Index { reg, signed });
    }

    /// The place of a member, or of an element that a constant selects.
    pub(in crate::cpu) fn member(&mut self, place: &Place, index: u32) -> Result<Place> {
        let measure = place.root.measure();
        if let Some(elements) = self.shapes.elements(place.shape, measure)
            && elements.count.is_none()
        {
            let index = self.constant(index);
            return self.element(place, index, false);
        }
        let (shape, offset) = self
            .shapes
            .child(place.shape, index, measure)
            .ok_or_else(|| self.broken("a member that does not exist"))?;
        let offset = place.offset + offset * place.root.unit();
        let mut inside = Place { offset, shape, ..place.clone() };
        if self.watch.is_some() {
            inside.steps.push(match self.shapes.member_name(place.shape, index) {
                Some(name) => Step::Member(name.to_owned()),
                None if matches!(
                    self.shapes.extent(place.shape),
                    super::shape::Extent::Vector(_)
                ) =>
                {
                    let names = ["x", "y", "z", "w"];
                    Step::Member(names.get(index as usize).copied().unwrap_or("?").to_owned())
                }
                None => Step::Constant(index),
            });
        }
        Ok(inside)
    }

    /// The storage binding and the element count's binding of `arrayLength`.
    pub(in crate::cpu) fn array_length(&mut self, place: &Place) -> Result<Reg> {
        match place.root {
            Root::Storage(binding) => Ok(self.compute(|dst| Op::ArrayLength { dst, binding })),
            _ => Err(self.broken("arrayLength outside of storage")),
        }
    }

    pub(in crate::cpu) fn address(&self, place: &Place) -> Result<Address> {
        let memory = match place.root {
            Root::Storage(binding) => Memory::Storage(binding),
            Root::Value(binding) => Memory::Value(binding),
            Root::Workgroup => Memory::Workgroup,
            Root::Local(_) => return Err(self.broken("a variable has no address")),
        };
        let (outer, signed, stride) = place.outer.unwrap_or((NONE, false, 0));
        let inner = place.inner.unwrap_or(NONE);
        Ok(Address { memory, offset: place.offset, outer, stride, signed, inner })
    }

    pub(super) fn is_atomic(&self, place: &Place) -> bool {
        self.shapes.is_atomic(place.shape)
    }

    /// Notes that workgroups may meet at a place, if it is an atomic in storage.
    fn meet(&mut self, place: &Place) {
        self.storage_atomics |=
            matches!(place.root, Root::Storage(_)) && self.shapes.is_atomic(place.shape);
    }

    /// The scalars at a place, each with its offset.
    pub(super) fn parts(&self, place: &Place) -> Result<Vec<(u32, Kind)>> {
        let leaves = self
            .shapes
            .leaves(place.shape, place.root.measure())
            .ok_or_else(|| self.unsupported("a value of this type", self.span))?;
        Ok(leaves
            .into_iter()
            .map(|leaf| ((leaf.offset * place.root.unit()) as u32, leaf.kind))
            .collect())
    }

    pub(in crate::cpu) fn load(&mut self, place: &Place) -> Result<Entry> {
        self.note_touch(place, Touch::Read)?;
        let mut regs: Vec<Reg> = Vec::new();
        if let Root::Local(base) = place.root {
            let first = base + place.offset as u32;
            for k in 0..self.flat(place.shape)? as u32 {
                let Some(index) = place.inner else {
                    if self.copies {
                        let dst = self.register(Class::Temporary);
                        self.push(Op::Unary { f: Unary::Copy, dst, a: first + k });
                        regs.push(dst);
                        continue;
                    }
                    // Not copied unless it must be: see `detach`.
                    regs.push(first + k);
                    continue;
                };
                let dst = self.register(Class::Temporary);
                self.push(Op::LocalLoad { dst, var: first + k, index });
                regs.push(dst);
            }
            return Ok(Entry::Value(regs.into()));
        }
        self.meet(place);
        let address = self.address(place)?;
        // What a uniform holds at a constant place is the same for the whole launch.
        let invariant = matches!(address.memory, Memory::Value(_)) && address.inner == NONE;
        let class = if invariant { Class::Invariant } else { Class::Temporary };
        let mut parts = Vec::new();
        for (offset, kind) in self.parts(place)? {
            let reg = self.register(class);
            regs.push(reg);
            let half = kind == Kind::F16 && address.memory != Memory::Workgroup;
            parts.push(Part { reg, offset, half });
        }
        if invariant {
            let mask = self.constant(u32::MAX);
            self.preamble.push(Op::Load(Box::new(Access { address, parts, mask })));
        } else {
            let mask = self.exec;
            self.push(Op::Load(Box::new(Access { address, parts, mask })));
        }
        Ok(Entry::Value(regs.into()))
    }

    pub(in crate::cpu) fn store(&mut self, place: &Place, value: &Value) -> Result<()> {
        self.note_touch(place, Touch::Write)?;
        let mask = self.exec;
        if let Root::Local(base) = place.root {
            let first = base + place.offset as u32;
            for (k, &src) in value.iter().enumerate() {
                let var = first + k as u32;
                self.push(match place.inner {
                    Some(index) => Op::LocalStore { var, index, src, mask },
                    None if self.full => Op::Unary { f: Unary::Copy, dst: var, a: src },
                    None => Op::Blend { var, src, mask },
                });
            }
            return Ok(());
        }
        self.meet(place);
        let address = self.address(place)?;
        let parts = self
            .parts(place)?
            .into_iter()
            .zip(value.iter())
            .map(|((offset, kind), &reg)| Part {
                reg,
                offset,
                half: kind == Kind::F16 && address.memory != Memory::Workgroup,
            })
            .collect();
        self.push(Op::Store(Box::new(Access { address, parts, mask })));
        Ok(())
    }

    /// The element of a value that a run-time index selects.
    pub(in crate::cpu) fn pick(
        &mut self,
        value: &Value,
        shape: Shape,
        index: Reg,
    ) -> Result<Value> {
        let elements = self
            .shapes
            .elements(shape, Measure::Flat)
            .ok_or_else(|| self.broken("an index into what has no elements"))?;
        let stride = elements.stride as usize;
        let count = value.len().checked_div(stride).unwrap_or(0);
        if let Some(known) = self.known(index)
            && (known as usize) < count
        {
            let at = known as usize * stride;
            return Ok(value[at..at + stride].into());
        }
        let regs: Rc<[Reg]> = (0..stride)
            .map(|k| {
                let planes = (0..count).map(|i| value[i * stride + k]).collect();
                self.compute(|dst| Op::Pick { dst, planes, index })
            })
            .collect();
        Ok(regs)
    }
}
