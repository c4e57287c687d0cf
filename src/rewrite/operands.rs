//! Copies of expressions with other operands.

use naga::{Expression, GatherMode, Handle};

use super::internal;
use crate::error::Result;

/// A copy of an expression that has neither pointers nor a statement of its own, with each operand
/// mapped.
pub(super) fn map_operands(
    expression: &Expression,
    map: &mut dyn FnMut(Handle<Expression>) -> Result<Handle<Expression>>,
) -> Result<Expression> {
    let mut copy = expression.clone();
    match copy {
        Expression::Literal(_) | Expression::Constant(_) | Expression::ZeroValue(_) => {}
        Expression::Compose { ref mut components, .. } => {
            for component in components {
                *component = map(*component)?;
            }
        }
        Expression::Splat { ref mut value, .. } => *value = map(*value)?,
        Expression::Swizzle { ref mut vector, .. } => *vector = map(*vector)?,
        Expression::Unary { ref mut expr, .. } | Expression::As { ref mut expr, .. } => {
            *expr = map(*expr)?;
        }
        Expression::Binary { ref mut left, ref mut right, .. } => {
            *left = map(*left)?;
            *right = map(*right)?;
        }
        Expression::Select { ref mut condition, ref mut accept, ref mut reject } => {
            *condition = map(*condition)?;
            *accept = map(*accept)?;
            *reject = map(*reject)?;
        }
        Expression::Relational { ref mut argument, .. } => *argument = map(*argument)?,
        Expression::Math { ref mut arg, ref mut arg1, ref mut arg2, ref mut arg3, .. } => {
            *arg = map(*arg)?;
            for arg in [arg1, arg2, arg3].into_iter().flatten() {
                *arg = map(*arg)?;
            }
        }
        ref other => return Err(internal(format!("an expression not expected: {other:?}"))),
    }
    Ok(copy)
}

/// The same mode with its index mapped.
pub(super) fn gather(
    mode: GatherMode,
    map: impl FnOnce(Handle<Expression>) -> Result<Handle<Expression>>,
) -> Result<GatherMode> {
    Ok(match mode {
        GatherMode::Broadcast(index) => GatherMode::Broadcast(map(index)?),
        GatherMode::Shuffle(index) => GatherMode::Shuffle(map(index)?),
        GatherMode::ShuffleDown(index) => GatherMode::ShuffleDown(map(index)?),
        GatherMode::ShuffleUp(index) => GatherMode::ShuffleUp(map(index)?),
        GatherMode::ShuffleXor(index) => GatherMode::ShuffleXor(map(index)?),
        GatherMode::QuadBroadcast(index) => GatherMode::QuadBroadcast(map(index)?),
        GatherMode::BroadcastFirst | GatherMode::QuadSwap(_) => mode,
    })
}
