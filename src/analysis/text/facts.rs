//! Facts that the text of a kernel shows for all arguments: storage atomics, subgroups, barriers.
//!
//! They are purely syntactic: an atomic in unreachable code counts. `walk::loops` finds out which loops end.

use naga::{AddressSpace, Block, BuiltIn, Expression, Function, Handle, Span, Statement};

use super::pointers::global_root;
use super::uses::{Uses, is_atomic, is_used, uses};
use crate::kernel::{BindingId, Kernel};

/// The facts of a kernel that hold for all arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// How the text uses each binding.
    pub(crate) uses: Vec<Uses>,
    /// Atomic operations on storage buffers, in text order.
    pub(crate) storage_atomics: Vec<(BindingId, Span)>,
    /// The first use of a subgroup operation or built-in.
    pub(crate) subgroups: Option<Span>,
    /// Atomic stores to storage buffers, in text order.
    pub(crate) atomic_stores: Vec<(BindingId, Span)>,
    /// The first atomic on workgroup memory that shows the order in which invocations executed it: its result
    /// is used, or the stored value depends on the order.
    pub(crate) order_in_workgroup: Option<Span>,
    /// The first barrier.
    pub(crate) barrier: Option<Span>,
    /// The first barrier in control flow that depends on the ids of the invocations of a workgroup. With a
    /// launch's data the invocations may still stay together.
    pub(crate) divergent_barrier: Option<Span>,
    /// For each loop of the entry point, in pre-order of the body (a loop's `body` before its `continuing`):
    /// whether it provably ends for all arguments.
    pub(crate) finite_loops: Vec<bool>,
    /// The loop at which the analysis exhausted its budget: from there on it examines loops less closely.
    pub(crate) hurried: Option<Span>,
}

/// All facts but `finite_loops`, which is left empty.
pub(crate) fn syntactic(kernel: &Kernel) -> Facts {
    let module = kernel.module();
    let function = &kernel.entry_point().function;
    let mut facts = Facts { uses: uses(kernel), ..Facts::default() };
    for argument in &function.arguments {
        let builtins = match (&argument.binding, &module.types[argument.ty].inner) {
            (Some(binding), _) => vec![binding],
            (None, naga::TypeInner::Struct { members, .. }) => {
                members.iter().filter_map(|m| m.binding.as_ref()).collect()
            }
            _ => Vec::new(),
        };
        for binding in builtins {
            if let naga::Binding::BuiltIn(
                BuiltIn::NumSubgroups
                | BuiltIn::SubgroupId
                | BuiltIn::SubgroupSize
                | BuiltIn::SubgroupInvocationId,
            ) = binding
            {
                let used = function
                    .expressions
                    .iter()
                    .find(|(_, e)| matches!(e, Expression::FunctionArgument(_)));
                let span = used.map_or(Span::UNDEFINED, |(h, _)| function.expressions.get_span(h));
                facts.subgroups.get_or_insert(span);
            }
        }
    }
    block(kernel, &function.body, &mut facts);
    facts
}

fn block(kernel: &Kernel, statements: &Block, facts: &mut Facts) {
    let function = &kernel.entry_point().function;
    for (statement, &span) in statements.span_iter() {
        match statement {
            Statement::Block(inner) => block(kernel, inner, facts),
            Statement::If { accept, reject, .. } => {
                block(kernel, accept, facts);
                block(kernel, reject, facts);
            }
            Statement::Switch { cases, .. } => {
                for case in cases {
                    block(kernel, &case.body, facts);
                }
            }
            Statement::Loop { body, continuing, .. } => {
                block(kernel, body, facts);
                block(kernel, continuing, facts);
            }
            Statement::Store { pointer, .. } if is_atomic(kernel, *pointer) => {
                let binding = storage_root(kernel, function, *pointer);
                facts.atomic_stores.extend(binding.map(|binding| (binding, span)));
            }
            Statement::Atomic { pointer, fun, result, .. } => {
                if let Some(binding) = storage_root(kernel, function, *pointer) {
                    facts.storage_atomics.push((binding, span));
                } else if matches!(fun, naga::AtomicFunction::Exchange { .. })
                    || result.is_some_and(|result| is_used(kernel, result))
                {
                    facts.order_in_workgroup.get_or_insert(span);
                }
            }
            Statement::ControlBarrier(flags) | Statement::MemoryBarrier(flags) => {
                if flags.contains(naga::Barrier::SUB_GROUP) {
                    facts.subgroups.get_or_insert(span);
                }
                facts.barrier.get_or_insert(span);
            }
            Statement::WorkGroupUniformLoad { .. } => {
                facts.barrier.get_or_insert(span);
            }
            Statement::SubgroupBallot { .. }
            | Statement::SubgroupGather { .. }
            | Statement::SubgroupCollectiveOperation { .. } => {
                facts.subgroups.get_or_insert(span);
            }
            _ => {}
        }
    }
}

/// The storage binding that a pointer expression points into, if it is one.
fn storage_root(
    kernel: &Kernel,
    function: &Function,
    pointer: Handle<Expression>,
) -> Option<BindingId> {
    let global = global_root(function, pointer)?;
    matches!(kernel.module().global_variables[global].space, AddressSpace::Storage { .. })
        .then(|| kernel.signature().bindings.iter().position(|b| b.global == global))?
}
