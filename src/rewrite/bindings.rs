//! The windowed bindings of a kernel, and their variables in the new module.
//!
//! A storage binding is windowed when its outermost array is runtime-sized, at the top or as a
//! struct's last member, or when it is a large fixed-size array that the kernel never takes as a
//! whole value. A windowed fixed-size array becomes a runtime-sized one. Small fixed-size arrays
//! are not windowed: the words in the block and the guards on constant indices would cost more.

use std::collections::HashMap;

use naga::{
    AddressSpace, ArraySize, Expression, Function, GlobalVariable, Handle, ResourceBinding,
    Statement, StorageAccess, TypeInner,
};

use super::bounds::is_signed;
use super::builder::Builder;
use super::rewritten::Slot;
use crate::kernel::{BindingId, Kernel, Space};

/// A fixed-size array of at most this many bytes is always uploaded whole.
const SMALL_ARRAY_BYTES: u64 = 4096;

/// The place of a windowed binding's array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Array {
    /// The variable itself.
    Variable,
    /// This member of the variable, the last one.
    Member(u32),
}

/// How the kernel indexes a windowed array.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Uses {
    /// By a constant or a u32.
    pub(super) indexed: bool,
    /// By an i32.
    pub(super) indexed_signed: bool,
    pub(super) length: bool,
}

/// The windowed bindings of a kernel.
pub(super) struct Bindings {
    windowed: HashMap<Handle<GlobalVariable>, (BindingId, Array)>,
    /// By `BindingId`; `None` for a binding that is not windowed.
    pub(super) uses: Vec<Option<Uses>>,
    /// The bindings whose windows are boxes.
    pitched: Vec<BindingId>,
}

impl Bindings {
    pub(super) fn new(kernel: &Kernel, pitched: &[BindingId]) -> Bindings {
        let module = kernel.module();
        let function = &kernel.entry_point().function;
        let mut windowed = HashMap::new();
        for (id, binding) in kernel.signature().bindings.iter().enumerate() {
            if !binding.space.is_storage() {
                continue;
            }
            let array = match module.types[module.global_variables[binding.global].ty].inner {
                TypeInner::Array { size: ArraySize::Dynamic, .. } => Array::Variable,
                TypeInner::Array { size: ArraySize::Constant(n), stride, .. }
                    if u64::from(n.get()) * u64::from(stride) > SMALL_ARRAY_BYTES
                        && !taken_whole(function, binding.global) =>
                {
                    Array::Variable
                }
                TypeInner::Struct { ref members, .. } => match members.last() {
                    Some(last)
                        if matches!(
                            module.types[last.ty].inner,
                            TypeInner::Array { size: ArraySize::Dynamic, .. }
                        ) =>
                    {
                        Array::Member(members.len() as u32 - 1)
                    }
                    _ => continue,
                },
                _ => continue,
            };
            windowed.insert(binding.global, (id, array));
        }
        let mut uses = vec![None; kernel.signature().bindings.len()];
        for &(id, _) in windowed.values() {
            uses[id] = Some(Uses::default());
        }
        let pitched = pitched.to_vec();
        let mut bindings = Bindings { windowed, uses, pitched };
        bindings.find_uses(kernel);
        bindings
    }

    fn find_uses(&mut self, kernel: &Kernel) {
        let function = &kernel.entry_point().function;
        let info = kernel.info().get_entry_point(0);
        for (handle, expression) in function.expressions.iter() {
            let mut now = Uses::default();
            let base = match *expression {
                Expression::Access { base, index } => {
                    now.indexed_signed = is_signed(kernel, index);
                    now.indexed = !now.indexed_signed;
                    base
                }
                Expression::AccessIndex { base, .. } => {
                    now.indexed = true;
                    base
                }
                Expression::ArrayLength(base) => {
                    now.length = true;
                    base
                }
                _ => continue,
            };
            if info[handle].ref_count == 0 {
                continue;
            }
            if let Some(id) = self.window(function, base)
                && let Some(uses) = &mut self.uses[id]
            {
                uses.length |= now.length;
                uses.indexed |= now.indexed;
                uses.indexed_signed |= now.indexed_signed;
            }
        }
    }

    /// The binding whose windowed array this expression of the old function points to, if it does.
    pub(super) fn window(
        &self,
        function: &Function,
        pointer: Handle<Expression>,
    ) -> Option<BindingId> {
        let (global, array) = match function.expressions[pointer] {
            Expression::GlobalVariable(global) => (global, Array::Variable),
            Expression::AccessIndex { base, index } => match function.expressions[base] {
                Expression::GlobalVariable(global) => (global, Array::Member(index)),
                _ => return None,
            },
            _ => return None,
        };
        self.windowed.get(&global).filter(|(_, known)| *known == array).map(|&(id, _)| id)
    }

    /// Whether the windows of a binding are boxes.
    pub(super) fn pitched(&self, id: BindingId) -> bool {
        self.pitched.contains(&id)
    }

    pub(super) fn windowable(&self) -> Vec<bool> {
        self.uses.iter().map(Option::is_some).collect()
    }

    /// Gives the kernel's bindings their slots, access and types, in the order of the signature.
    pub(super) fn place(
        &self,
        kernel: &Kernel,
        variables: &mut naga::Arena<GlobalVariable>,
        out: &mut Builder,
    ) -> Vec<Slot> {
        let mut slots = Vec::new();
        for (id, binding) in kernel.signature().bindings.iter().enumerate() {
            let variable = variables.get_mut(binding.global);
            let slot = match binding.space {
                Space::Uniform => {
                    // The whole type with its trailing padding, as wgpu requires.
                    let bytes = out.types[variable.ty].inner.size(kernel.module().to_ctx());
                    Slot::Uniform { id, bytes: u64::from(bytes) }
                }
                Space::StorageRead | Space::StorageWrite => {
                    // Atomics need write access even when they are only loaded.
                    let read_only =
                        binding.space == Space::StorageRead && !has_atomics(out, variable.ty);
                    let access = if read_only {
                        StorageAccess::LOAD
                    } else {
                        StorageAccess::LOAD | StorageAccess::STORE
                    };
                    variable.space = AddressSpace::Storage { access };
                    if let Some((_, Array::Variable)) = self.windowed.get(&binding.global)
                        && let TypeInner::Array { base, stride, .. } = out.types[variable.ty].inner
                    {
                        variable.ty = out.runtime_array(base, stride);
                    }
                    Slot::Storage { id, read_only }
                }
                Space::Immediate => continue,
            };
            variable.binding = Some(ResourceBinding { group: 0, binding: slots.len() as u32 });
            slots.push(slot);
        }
        slots
    }
}

/// Whether the type has an atomic in it. Recurses over the nesting of the type, as naga's validator
/// has done before.
fn has_atomics(out: &Builder, ty: Handle<naga::Type>) -> bool {
    match out.types[ty].inner {
        TypeInner::Atomic(_) => true,
        TypeInner::Array { base, .. } => has_atomics(out, base),
        TypeInner::Struct { ref members, .. } => members.iter().any(|m| has_atomics(out, m.ty)),
        _ => false,
    }
}

/// Whether the variable is loaded or stored as one value.
fn taken_whole(function: &Function, global: Handle<GlobalVariable>) -> bool {
    let is_variable = |pointer: Handle<Expression>| matches!(function.expressions[pointer], Expression::GlobalVariable(g) if g == global);
    let loaded = function
        .expressions
        .iter()
        .any(|(_, e)| matches!(*e, Expression::Load { pointer } if is_variable(pointer)));
    let mut blocks = vec![&function.body];
    let mut stored = false;
    while let Some(block) = blocks.pop() {
        for statement in block {
            match statement {
                Statement::Block(inner) => blocks.push(inner),
                Statement::If { accept, reject, .. } => blocks.extend([accept, reject]),
                Statement::Switch { cases, .. } => blocks.extend(cases.iter().map(|c| &c.body)),
                Statement::Loop { body, continuing, .. } => blocks.extend([body, continuing]),
                Statement::Store { pointer, .. } => stored |= is_variable(*pointer),
                _ => {}
            }
        }
    }
    loaded || stored
}
