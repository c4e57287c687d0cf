//! The members of a binding's elements, numbered to tell accesses to one from accesses to the others.
//!
//! A member is a scalar, a matrix or a component of a vector, at any depth of structs and arrays. All elements
//! of an array have the same members. Members are numbered in the order of the text, so those of a struct are a
//! range. A binding has a single member, which is all of it, if it has more than [`MOST`] members or too many
//! scalars to be compared one by one.

use naga::{Expression, Function, Handle, Type, TypeInner};

use crate::kernel::{Binding, Kernel};

/// The most members that a binding is divided into.
const MOST: usize = 64;

/// A set of members of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Members(u64);

/// A step from a composite to a part of it: its index, if that is known.
type Index = Option<u32>;

impl Members {
    pub(crate) const ALL: Members = Members(u64::MAX);
    pub(crate) const NONE: Members = Members(0);

    fn range(first: usize, count: usize) -> Members {
        Members((u64::MAX >> (64 - count)) << first)
    }

    pub(crate) fn meet(self, other: Members) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn with(self, other: Members) -> Members {
        Members(self.0 | other.0)
    }

    pub(crate) fn of_number(number: usize) -> Members {
        Members::range(number, 1)
    }
}

/// The number of a binding's members.
pub(crate) fn count(kernel: &Kernel, binding: &Binding) -> usize {
    match leaves(kernel.module(), root(kernel, binding)) {
        1..=MOST if binding.scalars_are_listed() => leaves(kernel.module(), root(kernel, binding)),
        _ => 1,
    }
}

/// The members that a path of steps from the binding leads to.
pub(crate) fn at(
    kernel: &Kernel,
    binding: &Binding,
    steps: impl IntoIterator<Item = Index>,
) -> Members {
    if count(kernel, binding) == 1 {
        return Members::ALL;
    }
    let types = &kernel.module().types;
    let (mut first, mut ty) = (0, root(kernel, binding));
    for step in steps {
        match (&types[ty].inner, step) {
            (TypeInner::Array { base, .. }, _) => ty = *base,
            (TypeInner::Struct { members, .. }, Some(index)) => {
                let Some(member) = members.get(index as usize) else { break };
                let before = &members[..index as usize];
                first += before.iter().map(|m| leaves(kernel.module(), m.ty)).sum::<usize>();
                ty = member.ty;
            }
            (TypeInner::Vector { size, .. }, Some(index)) if index < *size as u32 => {
                return Members::range(first + index as usize, 1);
            }
            _ => break,
        }
    }
    Members::range(first, leaves(kernel.module(), ty))
}

/// The members that an expression points to.
pub(crate) fn pointed_to(
    kernel: &Kernel,
    function: &Function,
    binding: &Binding,
    pointer: Handle<Expression>,
) -> Members {
    let mut steps = Vec::new();
    let mut at_pointer = pointer;
    loop {
        at_pointer = match function.expressions[at_pointer] {
            Expression::AccessIndex { base, index } => {
                steps.push(Some(index));
                base
            }
            Expression::Access { base, .. } => {
                steps.push(None);
                base
            }
            _ => break,
        };
    }
    steps.reverse();
    at(kernel, binding, steps)
}

/// The member at a byte offset from the start of the header or of an element.
pub(crate) fn at_offset(
    kernel: &Kernel,
    binding: &Binding,
    in_header: bool,
    offset: u64,
) -> Members {
    if count(kernel, binding) == 1 {
        return Members::ALL;
    }
    let types = &kernel.module().types;
    let (mut first, mut ty, mut offset) = (0, root(kernel, binding), offset);
    match &types[ty].inner {
        // The elements are those of the trailing array.
        TypeInner::Struct { members, .. } if !in_header && binding.layout.header > 0 => {
            if let [before @ .., last] = members.as_slice() {
                first = before.iter().map(|m| leaves(kernel.module(), m.ty)).sum();
                ty = last.ty;
            }
        }
        _ => {}
    }
    loop {
        match &types[ty].inner {
            TypeInner::Array { base, stride, .. } => {
                offset %= u64::from(*stride);
                ty = *base;
            }
            TypeInner::Struct { members, .. } => {
                let index = members.partition_point(|m| u64::from(m.offset) <= offset);
                let Some(member) = members.get(index.wrapping_sub(1)) else { break };
                let before = &members[..index - 1];
                first += before.iter().map(|m| leaves(kernel.module(), m.ty)).sum::<usize>();
                offset -= u64::from(member.offset);
                ty = member.ty;
            }
            TypeInner::Vector { size, scalar } => {
                let component = (offset / u64::from(scalar.width)).min(*size as u64 - 1);
                return Members::range(first + component as usize, 1);
            }
            _ => break,
        }
    }
    Members::range(first, leaves(kernel.module(), ty))
}

/// The members by their names in the text, such as `sum` or `at.x`. A struct or vector has one name if all of
/// its members are in the set.
pub(crate) fn names(kernel: &Kernel, binding: &Binding, members: Members) -> Vec<String> {
    let mut found = Vec::new();
    collect(kernel.module(), root(kernel, binding), (0, members), "", &mut found);
    found
}

fn collect(
    module: &naga::Module,
    ty: Handle<Type>,
    (first, members): (usize, Members),
    name: &str,
    found: &mut Vec<String>,
) {
    let own = Members::range(first, leaves(module, ty));
    if !own.meet(members) {
        return;
    }
    if own.with(members) == members && !name.is_empty() {
        found.push(name.to_owned());
        return;
    }
    let inner = |part: &str| match name {
        "" => part.to_owned(),
        _ => format!("{name}.{part}"),
    };
    match &module.types[ty].inner {
        TypeInner::Array { base, .. } => collect(module, *base, (first, members), name, found),
        TypeInner::Struct { members: parts, .. } => {
            let mut at = first;
            for part in parts {
                let part_name = inner(part.name.as_deref().unwrap_or("?"));
                collect(module, part.ty, (at, members), &part_name, found);
                at += leaves(module, part.ty);
            }
        }
        TypeInner::Vector { size, .. } => {
            for (i, component) in ["x", "y", "z", "w"].iter().take(*size as usize).enumerate() {
                if Members::of_number(first + i).meet(members) {
                    found.push(inner(component));
                }
            }
        }
        _ => found.push(name.to_owned()),
    }
}

fn root(kernel: &Kernel, binding: &Binding) -> Handle<Type> {
    kernel.module().global_variables[binding.global].ty
}

/// The number of members of a type; counting stops above [`MOST`].
fn leaves(module: &naga::Module, ty: Handle<Type>) -> usize {
    match &module.types[ty].inner {
        TypeInner::Vector { size, .. } => *size as usize,
        TypeInner::Array { base, .. } => leaves(module, *base),
        TypeInner::Struct { members, .. } => {
            let sum = members.iter().map(|m| leaves(module, m.ty)).fold(0, usize::saturating_add);
            sum.min(MOST + 1)
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_the_same_by_its_path_by_its_bytes_and_by_its_name() {
        let kernel = Kernel::from_wgsl(
            "struct Inner { a: vec3<f32>, b: i32 }
             struct Whole { n: u32, m: mat2x3<f32>, pair: vec2<u32>, rest: array<array<Inner, 2>> }
             @group(0) @binding(0) var<storage, read_write> whole: Whole;
             @compute @workgroup_size(1) fn main() { whole.rest[0][1].b = i32(whole.n); }",
        )
        .unwrap();
        let binding = &kernel.signature().bindings[0];
        assert_eq!(count(&kernel, binding), 8);
        let dynamic = None;
        for (path, name, bytes) in [
            (vec![Some(0)], "n", vec![(true, 0)]),
            (vec![Some(1), Some(1)], "m", vec![(true, 16), (true, 40)]),
            (vec![Some(2), Some(1)], "pair.y", vec![(true, 52)]),
            (
                vec![Some(3), dynamic, dynamic, Some(0), Some(2)],
                "rest.a.z",
                vec![(false, 8), (false, 24)],
            ),
            (vec![Some(3), dynamic, Some(1), Some(1)], "rest.b", vec![(false, 12), (false, 28)]),
        ] {
            let member = at(&kernel, binding, path);
            assert_eq!(names(&kernel, binding, member), [name]);
            for (in_header, offset) in bytes {
                let found = at_offset(&kernel, binding, in_header, offset);
                assert_eq!(found, member, "{name} at {offset}");
            }
        }
        let inner = at(&kernel, binding, [Some(3), dynamic]);
        assert_eq!(names(&kernel, binding, inner), ["rest"]);
        let dynamic_component = at(&kernel, binding, [Some(2), dynamic]);
        assert_eq!(names(&kernel, binding, dynamic_component), ["pair"]);
    }
}
