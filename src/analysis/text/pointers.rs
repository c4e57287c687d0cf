//! Pointers: the variable or binding that a pointer expression leads to.

use naga::{Expression, Function, Handle, TypeInner};

use crate::kernel::BindingId;

/// The memory that a pointer points into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// A function or private variable, by number.
    Variable(usize),
    /// A uniform or immediate binding.
    Uniform(BindingId),
    Storage(BindingId),
    /// Workgroup memory.
    Shared,
}

pub(crate) fn root(function: &Function, roots: &[Root], base: Handle<Expression>) -> Option<Root> {
    match function.expressions[base] {
        Expression::LocalVariable(local) => Some(Root::Variable(local.index())),
        Expression::GlobalVariable(global) => Some(roots[global.index()]),
        _ => None,
    }
}

/// The part that a pointer points into.
pub(crate) fn pointee(
    function: &Function,
    roots: &[Root],
    mut pointer: Handle<Expression>,
) -> Option<Root> {
    while let Expression::Access { base, .. } | Expression::AccessIndex { base, .. } =
        function.expressions[pointer]
    {
        pointer = base;
    }
    root(function, roots, pointer)
}

/// Whether a type holds a 32-bit integer that the analysis tracks, at any depth.
pub(crate) fn holds_integer(module: &naga::Module, inner: &TypeInner) -> bool {
    match inner {
        TypeInner::Scalar(s) | TypeInner::Atomic(s) | TypeInner::Vector { scalar: s, .. } => {
            matches!(s.kind, naga::ScalarKind::Sint | naga::ScalarKind::Uint)
        }
        TypeInner::Array { base, .. } => holds_integer(module, &module.types[*base].inner),
        TypeInner::Struct { members, .. } => {
            members.iter().any(|m| holds_integer(module, &module.types[m.ty].inner))
        }
        _ => false,
    }
}

/// The global variable that a pointer expression points into, if it is one.
pub(crate) fn global_root(
    function: &Function,
    mut pointer: Handle<Expression>,
) -> Option<Handle<naga::GlobalVariable>> {
    loop {
        match function.expressions[pointer] {
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => {
                pointer = base;
            }
            Expression::GlobalVariable(global) => return Some(global),
            _ => return None,
        }
    }
}
