//! The loop budget: one counter for all loops that are not proved finite.
//!
//! Each invocation has a counter, which never decreases. When it reaches the budget, every such loop
//! ends at its next iteration, outer loops too, and a loop that begins later ends at once. Loops that
//! are proved finite do not count. An iteration counts when it begins, so the last test of a `while`
//! loop's condition counts too.
//!
//! Mesa's llvmpipe silently ends loops: the invocations of a vector have 65,535 iterations in all
//! loops together, and after that each loop ends after its first iteration, proved finite or not. On
//! such a driver each invocation ends with a [`Probe`], a loop of a few iterations. If it makes fewer,
//! the driver has ended some loop too early.

use naga::{
    AddressSpace, BinaryOperator, Expression, GlobalVariable, Handle, MemoryDecorations,
    ResourceBinding, Scalar, Span, Statement, StorageAccess, TypeInner,
};

use super::builder::Builder;

/// The counter, the budget and the fault word, as expressions of the new function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    counter: Handle<Expression>,
    limit: Handle<Expression>,
    fault: Fault,
}

/// Value of the fault word: a loop ran over its budget.
const OVER_BUDGET: u32 = 1;
/// Value of the fault word: the driver ended a loop.
pub(crate) const CUT_SHORT: u32 = 2;

/// The iterations of a probe. Two would suffice if drivers did not peel an iteration or two off a loop.
pub(super) const PROBE_TURNS: u32 = 16;

/// The fault word, as a pointer. It is atomic because every invocation may set it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault(Handle<Expression>);

impl Fault {
    pub(super) fn new(
        binding: u32,
        variables: &mut naga::Arena<GlobalVariable>,
        out: &mut Builder,
    ) -> Fault {
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
        Fault(out.leaf(Expression::GlobalVariable(fault), Span::UNDEFINED))
    }
}

/// Detects that the driver has ended a loop. Its fields are expressions of the new function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    counter: Handle<Expression>,
    turns: Handle<Expression>,
    fault: Fault,
}

impl Probe {
    pub(super) fn new(turns: Handle<Expression>, fault: Fault, out: &mut Builder) -> Probe {
        let ty = out.u32_type();
        let zero = out.u32(0);
        Probe { counter: out.local("probe", ty, Some(zero)), turns, fault }
    }

    /// Adds the probe, at the end of an invocation.
    pub(super) fn check(self, out: &mut Builder, span: Span) {
        let (zero, one) = (out.u32(0), out.u32(1));
        let cut_short = out.u32(CUT_SHORT);
        out.store(self.counter, zero, span);
        let outer = out.begin();
        let turns = out.load(self.counter, span);
        let more = out.binary(BinaryOperator::Add, turns, one, span);
        out.store(self.counter, more, span);
        let enough = out.binary(BinaryOperator::GreaterEqual, more, self.turns, span);
        let inner = out.begin();
        out.statement(Statement::Break, span);
        out.end_if(inner, enough, span);
        let body = out.end(outer);
        let continuing = naga::Block::new();
        out.statement(Statement::Loop { body, continuing, break_if: None }, span);
        let made = out.load(self.counter, span);
        let fewer = out.binary(BinaryOperator::NotEqual, made, self.turns, span);
        let outer = out.begin();
        out.store(self.fault.0, cut_short, span);
        out.end_if(outer, fewer, span);
    }
}

impl Budget {
    /// Declares the counter.
    pub(super) fn new(limit: Handle<Expression>, fault: Fault, out: &mut Builder) -> Budget {
        let zero = out.u32(0);
        let ty = out.u32_type();
        let counter = out.local("turns", ty, Some(zero));
        Budget { counter, limit, fault }
    }

    /// Adds the check of the budget, at the start of a loop's body.
    pub(super) fn check(self, out: &mut Builder, span: Span) {
        let turns = out.load(self.counter, span);
        let spent = out.binary(BinaryOperator::GreaterEqual, turns, self.limit, span);
        let (one, over) = (out.u32(1), out.u32(OVER_BUDGET));
        let outer = out.begin();
        out.store(self.fault.0, over, span);
        out.statement(Statement::Break, span);
        out.end_if(outer, spent, span);
        let more = out.binary(BinaryOperator::Add, turns, one, span);
        out.store(self.counter, more, span);
    }
}

/// Whether a loop is proved finite; `facts` counts them as `Rebuild` does.
pub(super) fn is_finite(finite_loops: &[bool], index: usize) -> bool {
    finite_loops.get(index).copied().unwrap_or(false)
}
