//! The name of a scalar in the text from its byte offset: `particles[7].pos.x`.
//!
//! Follows a variable's type down to the scalar at the offset.

use naga::{AddressSpace, Handle, TypeInner};

use crate::cpu::interpreter::shape::{Measure, Shape, Shapes};
use crate::kernel::Kernel;

/// The scalar at a byte of a binding.
pub(super) fn of_binding(kernel: &Kernel, binding: usize, at: u64) -> String {
    let binding = &kernel.signature().bindings[binding];
    let global = &kernel.module().global_variables[binding.global];
    let shapes = Shapes::new(kernel.module());
    let path = path(kernel.module(), &shapes, Shape::Type(global.ty), Measure::Bytes, at);
    format!("{}{path}", binding.name)
}

/// The scalar at a word of workgroup memory.
pub(super) fn of_workgroup(kernel: &Kernel, word: u64) -> String {
    let module = kernel.module();
    let info = kernel.info().get_entry_point(0);
    let shapes = Shapes::new(module);
    // In the order in which the interpreter lays them out.
    let mut first = 0;
    for (handle, var) in module.global_variables.iter() {
        if var.space != AddressSpace::WorkGroup || info[handle].is_empty() {
            continue;
        }
        let shape = Shape::Type(var.ty);
        let words = shapes.flat(shape).unwrap_or(0);
        if word < first + words {
            let name = var.name.as_deref().unwrap_or("workgroup memory");
            return format!("{name}{}", path(module, &shapes, shape, Measure::Flat, word - first));
        }
        first += words;
    }
    format!("word {word} of workgroup memory")
}

fn path(
    module: &naga::Module,
    shapes: &Shapes<'_>,
    mut shape: Shape,
    measure: Measure,
    mut at: u64,
) -> String {
    let mut out = String::new();
    loop {
        if let Some(members) = members(module, shape) {
            // The last member that begins at or before the offset.
            let mut found = None;
            for index in 0..members {
                match shapes.child(shape, index, measure) {
                    Some((child, offset)) if offset <= at => found = Some((index, child, offset)),
                    _ => break,
                }
            }
            let Some((index, child, offset)) = found else { return out };
            let name = shapes.member_name(shape, index).unwrap_or("?");
            out += &format!(".{name}");
            (shape, at) = (child, at - offset);
        } else if let Some(elements) = shapes.elements(shape, measure) {
            let stride = elements.stride.max(1);
            let index = at / stride;
            let component = match shapes.extent(shape) {
                crate::cpu::interpreter::shape::Extent::Vector(_) => {
                    ["x", "y", "z", "w"].get(index as usize)
                }
                _ => None,
            };
            out += &match component {
                Some(name) => format!(".{name}"),
                None => format!("[{index}]"),
            };
            (shape, at) = (elements.shape, at - index * stride);
        } else {
            return out;
        }
    }
}

fn members(module: &naga::Module, shape: Shape) -> Option<u32> {
    let Shape::Type(ty) = shape else { return None };
    let ty: Handle<naga::Type> = ty;
    match &module.types[ty].inner {
        TypeInner::Struct { members, .. } => Some(members.len() as u32),
        _ => None,
    }
}
