//! The signature of a normalised module.

use naga::proc::{GlobalCtx, Layouter};
use naga::valid::{GlobalUse, ModuleInfo};
use naga::{
    AddressSpace, ArraySize, GlobalVariable, Handle, ScalarKind, StorageAccess, Type, TypeInner,
};

use super::scalars::scalars;
use super::signature::{Binding, Constant, Layout, Signature, Space};
use super::source::Source;
use super::value_type::ValueTypes;
use crate::error::{Error, Result};

/// The signature of a normalised module. `declared` has the bindings of the module as it was
/// parsed.
pub(super) fn reflect(
    source: &Source,
    module: &naga::Module,
    info: &ModuleInfo,
    constants: Vec<Constant>,
    declared: Vec<Binding>,
) -> Result<Signature> {
    let entry = &module.entry_points[0];
    let uses = info.get_entry_point(0);
    let reflected = Reflected::new(module)?;
    let mut bindings = Vec::new();
    for (global, var) in module.global_variables.iter() {
        let used = uses[global];
        if used.is_empty() {
            continue;
        }
        let space = match var.space {
            AddressSpace::Uniform => Space::Uniform,
            AddressSpace::Storage { .. } if used.contains(GlobalUse::WRITE) => Space::StorageWrite,
            AddressSpace::Storage { .. } => Space::StorageRead,
            AddressSpace::Immediate => Space::Immediate,
            AddressSpace::Private | AddressSpace::WorkGroup | AddressSpace::Function => continue,
            _ => {
                return Err(Error::Unsupported {
                    what: "a texture, sampler or acceleration structure in a compute kernel"
                        .to_owned(),
                    at: source.render(module.global_variables.get_span(global)),
                });
            }
        };
        let binding = reflected.binding(global, space).ok_or_else(|| Error::Internal {
            place: "kernel::reflect".to_owned(),
            cause: format!("the type of {:?} has no layout", var.name),
        })?;
        bindings.push(binding);
    }
    bindings.sort_by_key(|b| b.slot.unwrap_or((u32::MAX, u32::MAX)));
    let is_used = |one: &Binding| bindings.iter().any(|used| used.name == one.name);
    Ok(Signature {
        entry_point: entry.name.clone(),
        workgroup_size: entry.workgroup_size,
        unused: declared.into_iter().filter(|one| !is_used(one)).collect(),
        bindings,
        constants,
    })
}

/// The variables of a module that take buffers or values, whether used or not.
pub(super) fn declared(module: &naga::Module) -> Result<Vec<Binding>> {
    let reflected = Reflected::new(module)?;
    let found = module.global_variables.iter().filter_map(|(global, var)| {
        let space = match var.space {
            AddressSpace::Uniform => Space::Uniform,
            AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                Space::StorageWrite
            }
            AddressSpace::Storage { .. } => Space::StorageRead,
            AddressSpace::Immediate => Space::Immediate,
            _ => return None,
        };
        reflected.binding(global, space)
    });
    Ok(found.collect())
}

/// A module with the layouts of its types.
struct Reflected<'m> {
    module: &'m naga::Module,
    layouter: Layouter,
    types: ValueTypes,
}

impl<'m> Reflected<'m> {
    fn new(module: &'m naga::Module) -> Result<Reflected<'m>> {
        let mut layouter = Layouter::default();
        layouter.update(module.to_ctx()).map_err(|e| Error::Internal {
            place: "kernel::reflect".to_owned(),
            cause: e.to_string(),
        })?;
        Ok(Reflected { module, layouter, types: ValueTypes::new(module) })
    }

    /// The binding of a variable; `None` if its type has no layout on the host.
    fn binding(&self, global: Handle<GlobalVariable>, space: Space) -> Option<Binding> {
        let Reflected { module, layouter, types } = self;
        let var = &module.global_variables[global];
        let slot = var.binding.as_ref().map(|b| (b.group, b.binding));
        let name = var.name.clone().unwrap_or_else(|| {
            slot.map_or_else(|| "immediate".to_owned(), |(g, b)| format!("{g}:{b}"))
        });
        let (header_scalars, element_scalars) = scalars(module, var.ty);
        Some(Binding {
            header_scalars,
            element_scalars,
            value_type: types.get(var.ty).cloned()?,
            name,
            slot,
            space,
            layout: layout(module, layouter, types, var.ty),
            type_name: type_name(module, var.ty),
            global,
        })
    }
}

fn layout(
    module: &naga::Module,
    layouter: &Layouter,
    types: &ValueTypes,
    ty: Handle<Type>,
) -> Layout {
    let element = |ty: Handle<Type>, header: u64, stride: u64, count: Option<u64>| Layout {
        header,
        stride,
        element_size: u64::from(layouter[ty].size),
        count,
        scalar: types.packed(ty).filter(|_| u64::from(layouter[ty].size) == stride),
        element_name: type_name(module, ty),
    };
    match module.types[ty].inner {
        TypeInner::Array { base, size, stride } => {
            let count = match size {
                ArraySize::Constant(n) => Some(u64::from(n.get())),
                _ => None,
            };
            element(base, 0, u64::from(stride), count)
        }
        TypeInner::Struct { ref members, span } => {
            if let Some(last) = members.last()
                && let TypeInner::Array { base, size: ArraySize::Dynamic, stride } =
                    module.types[last.ty].inner
            {
                return element(base, u64::from(last.offset), u64::from(stride), None);
            }
            element(ty, 0, u64::from(span), Some(1))
        }
        ref inner => {
            let size = u64::from(inner.size(module.to_ctx()));
            element(ty, 0, size, Some(1))
        }
    }
}

/// The type as WGSL writes it.
pub(super) fn type_name(module: &naga::Module, ty: Handle<Type>) -> String {
    let scalar = |s: naga::Scalar| match s.kind {
        ScalarKind::Bool => "bool".to_owned(),
        ScalarKind::Float => format!("f{}", s.width * 8),
        ScalarKind::Sint => format!("i{}", s.width * 8),
        ScalarKind::Uint => format!("u{}", s.width * 8),
        _ => "number".to_owned(),
    };
    let gctx: GlobalCtx<'_> = module.to_ctx();
    match gctx.types[ty].inner {
        TypeInner::Scalar(s) => scalar(s),
        TypeInner::Atomic(s) => format!("atomic<{}>", scalar(s)),
        TypeInner::Vector { size, scalar: s } => format!("vec{}<{}>", size as u8, scalar(s)),
        TypeInner::Matrix { columns, rows, scalar: s } => {
            format!("mat{}x{}<{}>", columns as u8, rows as u8, scalar(s))
        }
        TypeInner::Array { base, size, .. } => match size {
            ArraySize::Constant(n) => format!("array<{}, {n}>", type_name(module, base)),
            _ => format!("array<{}>", type_name(module, base)),
        },
        TypeInner::Struct { .. } => {
            gctx.types[ty].name.clone().unwrap_or_else(|| "struct".to_owned())
        }
        _ => gctx.types[ty].name.clone().unwrap_or_else(|| "?".to_owned()),
    }
}
