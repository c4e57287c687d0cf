//! The initial values of a kernel: uniforms, array lengths and the ids of invocations.
//!
//! Without arguments, every value that a launch chooses is unknown.

use std::rc::Rc;

use naga::{BuiltIn, TypeInner};

use super::typed::{MAX_TABLE, decode, leaves, unknown};
use crate::analysis::arguments::{Argument, Arguments};
use crate::analysis::domain::{Arithmetic, IntType, Interval, Knowledge, Linear, Value};
use crate::grid::GroupBox;
use crate::kernel::Kernel;

/// By binding: the value of a uniform, and the value that `arrayLength` gives.
pub(crate) fn bindings(
    kernel: &Kernel,
    arguments: Option<&Arguments<'_>>,
    arithmetic: &mut Arithmetic,
    known: &mut Knowledge,
) -> (Vec<Value>, Vec<Value>) {
    let (mut uniforms, mut lengths) = (Vec::new(), Vec::new());
    let u32s = IntType::U32.range();
    for (id, binding) in kernel.signature().bindings.iter().enumerate() {
        let argument = arguments.map(|a| &a.bindings[id]);
        let ty = kernel.module().global_variables[binding.global].ty;
        let uniform = match argument {
            _ if binding.space.is_storage() => Value::Unknown,
            Some(Argument::Value(bytes)) if leaves(kernel.module(), ty) <= MAX_TABLE => {
                decode(kernel.module(), ty, bytes)
            }
            _ => unknown(arithmetic, kernel.module(), ty, known),
        };
        uniforms.push(uniform);
        let length = match argument {
            Some(Argument::Storage { elements, .. }) => Linear::constant(*elements as i64),
            _ => Linear::symbol(known.opaque(&mut arithmetic.symbols, IntType::U32, u32s)),
        };
        lengths.push(Value::Int(IntType::U32, length.wrapped()));
    }
    (uniforms, lengths)
}

/// The workgroup id, and the values of the entry point's arguments.
pub(crate) fn builtins(
    kernel: &Kernel,
    arguments: Option<&Arguments<'_>>,
    groups: GroupBox,
    arithmetic: &mut Arithmetic,
    known: &mut Knowledge,
) -> (Vec<Linear>, Vec<Value>) {
    let size = kernel.signature().workgroup_size;
    let mut workgroup = Vec::new();
    let mut local = Vec::new();
    let mut count = Vec::new();
    for (axis, size) in size.into_iter().enumerate() {
        let last = i128::from(size.max(1)) - 1;
        local.push(dimension(arithmetic, known, Interval::new(0, last)));
        let first = i128::from(groups.first[axis]);
        match arguments {
            Some(arguments) => {
                let last = first + i128::from(groups.count[axis].max(1)) - 1;
                workgroup.push(dimension(arithmetic, known, Interval::new(first, last)));
                count.push(Linear::constant(arguments.grid[axis].into()));
            }
            None => {
                let all = IntType::U32.range();
                workgroup.push(dimension(arithmetic, known, all));
                let any = known.opaque(&mut arithmetic.symbols, IntType::U32, all);
                count.push(Linear::symbol(any));
            }
        }
    }
    let global: Vec<_> =
        (0..3).map(|i| local[i].plus(&workgroup[i], i64::from(size[i])).wrapped()).collect();
    let index = local[0]
        .plus(&local[1], i64::from(size[0]))
        .plus(&local[2], i64::from(size[0]) * i64::from(size[1]))
        .wrapped();
    let vector = |forms: &[Linear]| {
        let ints = forms.iter().map(|f| Value::Int(IntType::U32, f.clone().wrapped()));
        Value::Many(Rc::new(ints.collect()))
    };
    let function = &kernel.entry_point().function;
    let module = kernel.module();
    let mut entry = Vec::new();
    for argument in &function.arguments {
        let mut builtin = |binding: &Option<naga::Binding>, ty| match binding {
            Some(naga::Binding::BuiltIn(BuiltIn::GlobalInvocationId)) => vector(&global),
            Some(naga::Binding::BuiltIn(BuiltIn::LocalInvocationId)) => vector(&local),
            Some(naga::Binding::BuiltIn(BuiltIn::WorkGroupId)) => vector(&workgroup),
            Some(naga::Binding::BuiltIn(BuiltIn::NumWorkGroups)) => vector(&count),
            Some(naga::Binding::BuiltIn(BuiltIn::LocalInvocationIndex)) => {
                Value::Int(IntType::U32, index.clone())
            }
            Some(naga::Binding::BuiltIn(BuiltIn::WorkGroupSize)) => {
                vector(&size.map(|n| Linear::constant(n.into())))
            }
            _ => unknown(arithmetic, module, ty, known),
        };
        entry.push(match &module.types[argument.ty].inner {
            TypeInner::Struct { members, .. } => {
                let parts = members.iter().map(|m| builtin(&m.binding, m.ty)).collect();
                Value::Many(Rc::new(parts))
            }
            _ => builtin(&argument.binding, argument.ty),
        });
    }
    (workgroup, entry)
}

fn dimension(arithmetic: &mut Arithmetic, known: &mut Knowledge, values: Interval) -> Linear {
    match values.value() {
        Some(only) => Linear::constant(only as i64),
        None => Linear::symbol(known.dimension(&mut arithmetic.symbols, values)),
    }
}
