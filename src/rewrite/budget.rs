//! The loop budget: one counter for all loops that are not proved finite.
//!
//! The counter belongs to the invocation and never goes down. So when it has reached the budget,
//! every such loop ends at its next turn, the outer ones too, and one that is begun later ends at
//! once. Loops that are left out end by themselves. A turn counts when it begins, so the last look
//! at a `while` loop's condition counts, too.

use naga::{
    AddressSpace, BinaryOperator, Expression, GlobalVariable, Handle, MemoryDecorations,
    ResourceBinding, Scalar, Span, Statement, StorageAccess, TypeInner,
};

use super::builder::Builder;

/// The counter and what goes with it, as expressions of the new function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    counter: Handle<Expression>,
    limit: Handle<Expression>,
    fault: Handle<Expression>,
}

impl Budget {
    /// Declares the counter and the fault word. It is atomic because every invocation may set it.
    pub(super) fn new(
        limit: Handle<Expression>,
        binding: u32,
        variables: &mut naga::Arena<GlobalVariable>,
        out: &mut Builder,
    ) -> Budget {
        let ty = out.ty(TypeInner::Atomic(Scalar::U32));
        let fault = variables.append(
            GlobalVariable {
                name: Some("fault".to_owned()),
                space: AddressSpace::Storage { access: StorageAccess::LOAD | StorageAccess::STORE },
                binding: Some(ResourceBinding { group: 0, binding }),
                ty,
                init: None,
                memory_decorations: MemoryDecorations::empty(),
            },
            Span::UNDEFINED,
        );
        let fault = out.leaf(Expression::GlobalVariable(fault), Span::UNDEFINED);
        let zero = out.u32(0);
        let ty = out.u32_type();
        let counter = out.local("turns", ty, Some(zero));
        Budget { counter, limit, fault }
    }

    /// What a loop's body begins with.
    pub(super) fn check(self, out: &mut Builder, span: Span) {
        let turns = out.load(self.counter, span);
        let spent = out.binary(BinaryOperator::GreaterEqual, turns, self.limit, span);
        let one = out.u32(1);
        let outer = out.begin();
        out.store(self.fault, one, span);
        out.statement(Statement::Break, span);
        out.end_if(outer, spent, span);
        let more = out.binary(BinaryOperator::Add, turns, one, span);
        out.store(self.counter, more, span);
    }
}
