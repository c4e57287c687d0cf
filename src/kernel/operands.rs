//! The handles that an expression or a statement uses.
//!
//! This is the one place that knows the operands of every IR node, for passes that remap or count
//! them. Nodes that `kernel::unsupported` refuses (textures, rays, cooperative matrices) never
//! reach a pass and are listed as having no operands. Nested blocks, which [`inner_blocks`] lists,
//! and `Emit` ranges are left to the caller.

use naga::{AtomicFunction, Block, Expression, GatherMode, Handle, Statement};

/// Calls `visit` with every operand of an expression, in the IR's order.
pub(crate) fn expression_operands(
    expression: &mut Expression,
    mut visit: impl FnMut(&mut Handle<Expression>),
) {
    match expression {
        Expression::Compose { components, .. } => components.iter_mut().for_each(visit),
        Expression::Access { base, index } => {
            visit(base);
            visit(index);
        }
        Expression::AccessIndex { base: one, .. }
        | Expression::Splat { value: one, .. }
        | Expression::Swizzle { vector: one, .. }
        | Expression::Load { pointer: one }
        | Expression::Unary { expr: one, .. }
        | Expression::Derivative { expr: one, .. }
        | Expression::Relational { argument: one, .. }
        | Expression::As { expr: one, .. }
        | Expression::ArrayLength(one) => visit(one),
        Expression::Binary { left, right, .. } => {
            visit(left);
            visit(right);
        }
        Expression::Select { condition, accept, reject } => {
            visit(condition);
            visit(accept);
            visit(reject);
        }
        Expression::Math { arg, arg1, arg2, arg3, .. } => {
            visit(arg);
            [arg1, arg2, arg3].into_iter().flatten().for_each(visit);
        }
        Expression::Literal(_)
        | Expression::Constant(_)
        | Expression::Override(_)
        | Expression::ZeroValue(_)
        | Expression::FunctionArgument(_)
        | Expression::GlobalVariable(_)
        | Expression::LocalVariable(_)
        | Expression::CallResult(_)
        | Expression::AtomicResult { .. }
        | Expression::WorkGroupUniformLoadResult { .. }
        | Expression::SubgroupBallotResult
        | Expression::SubgroupOperationResult { .. } => {}
        // Refused by `kernel::unsupported`.
        Expression::ImageSample { .. }
        | Expression::ImageLoad { .. }
        | Expression::ImageQuery { .. }
        | Expression::RayQueryVertexPositions { .. }
        | Expression::RayQueryProceedResult
        | Expression::RayQueryGetIntersection { .. }
        | Expression::CooperativeLoad { .. }
        | Expression::CooperativeMultiplyAdd { .. } => {}
    }
}

/// Calls `visit` with every expression that a statement itself uses: not its result, not those
/// of an `Emit`, not those of nested blocks. A loop's `break_if` counts as its own.
pub(crate) fn statement_operands(
    statement: &mut Statement,
    mut visit: impl FnMut(&mut Handle<Expression>),
) {
    match statement {
        Statement::If { condition: one, .. }
        | Statement::Switch { selector: one, .. }
        | Statement::Loop { break_if: Some(one), .. }
        | Statement::Return { value: Some(one) }
        | Statement::WorkGroupUniformLoad { pointer: one, .. }
        | Statement::SubgroupBallot { predicate: Some(one), .. }
        | Statement::SubgroupCollectiveOperation { argument: one, .. } => visit(one),
        Statement::Store { pointer, value } => {
            visit(pointer);
            visit(value);
        }
        Statement::Atomic { pointer, fun, value, .. } => {
            visit(pointer);
            if let AtomicFunction::Exchange { compare: Some(compare) } = fun {
                visit(compare);
            }
            visit(value);
        }
        Statement::Call { arguments, .. } => arguments.iter_mut().for_each(visit),
        Statement::SubgroupGather { mode, argument, .. } => {
            match mode {
                GatherMode::Broadcast(index)
                | GatherMode::Shuffle(index)
                | GatherMode::ShuffleDown(index)
                | GatherMode::ShuffleUp(index)
                | GatherMode::ShuffleXor(index)
                | GatherMode::QuadBroadcast(index) => visit(index),
                GatherMode::BroadcastFirst | GatherMode::QuadSwap(_) => {}
            }
            visit(argument);
        }
        Statement::Emit(_)
        | Statement::Block(_)
        | Statement::Loop { break_if: None, .. }
        | Statement::Break
        | Statement::Continue
        | Statement::Return { value: None }
        | Statement::Kill
        | Statement::ControlBarrier(_)
        | Statement::MemoryBarrier(_)
        | Statement::SubgroupBallot { predicate: None, .. } => {}
        // Refused by `kernel::unsupported`.
        Statement::ImageStore { .. }
        | Statement::ImageAtomic { .. }
        | Statement::RayQuery { .. }
        | Statement::RayPipelineFunction(_)
        | Statement::CooperativeStore { .. } => {}
    }
}

/// The expression that holds the result of a statement, if it has one.
pub(crate) fn statement_result(statement: &mut Statement) -> Option<&mut Handle<Expression>> {
    match statement {
        Statement::Atomic { result, .. } | Statement::Call { result, .. } => result.as_mut(),
        Statement::WorkGroupUniformLoad { result, .. }
        | Statement::SubgroupBallot { result, .. }
        | Statement::SubgroupGather { result, .. }
        | Statement::SubgroupCollectiveOperation { result, .. } => Some(result),
        _ => None,
    }
}

/// The blocks directly inside a statement.
pub(crate) fn inner_blocks(statement: &Statement) -> Vec<&Block> {
    match statement {
        Statement::Block(inner) => vec![inner],
        Statement::If { accept, reject, .. } => vec![accept, reject],
        Statement::Switch { cases, .. } => cases.iter().map(|case| &case.body).collect(),
        Statement::Loop { body, continuing, .. } => vec![body, continuing],
        _ => Vec::new(),
    }
}
