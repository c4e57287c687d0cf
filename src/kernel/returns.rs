//! Where a function's body returns. Read-only questions of `parse` and `normalise::inline`.

use naga::Statement;

/// Whether any path through these statements returns from the function.
pub(super) fn may_return(statements: &[Statement]) -> bool {
    statements.iter().any(|statement| match statement {
        Statement::Return { .. } => true,
        Statement::Block(block) => may_return(block),
        Statement::If { accept, reject, .. } => may_return(accept) || may_return(reject),
        Statement::Switch { cases, .. } => cases.iter().any(|case| may_return(&case.body)),
        // A continuing block cannot return.
        Statement::Loop { body, .. } => may_return(body),
        _ => false,
    })
}

/// Whether every path through these statements returns from the function or never ends. Asked of
/// statements outside of loops and switches; a break or continue of an enclosing one counts as
/// not returning.
pub(in crate::kernel) fn always_returns(statements: &[Statement]) -> bool {
    for statement in statements {
        let ends = match statement {
            Statement::Return { .. } => true,
            Statement::Block(block) => always_returns(block),
            Statement::If { accept, reject, .. } => {
                always_returns(accept) && always_returns(reject)
            }
            Statement::Switch { cases, .. } => cases.iter().all(|case| {
                !breaks(&case.body)
                    && (always_returns(&case.body) || case.fall_through && case.body.is_empty())
            }),
            Statement::Loop { body, break_if, .. } => break_if.is_none() && !breaks(body),
            Statement::Break | Statement::Continue => return false,
            _ => false,
        };
        if ends {
            return true;
        }
    }
    false
}

/// Whether the statements break out of the loop or switch that they are directly in.
fn breaks(statements: &[Statement]) -> bool {
    statements.iter().any(|statement| match statement {
        Statement::Break => true,
        Statement::Block(block) => breaks(block),
        Statement::If { accept, reject, .. } => breaks(accept) || breaks(reject),
        _ => false,
    })
}

/// Whether the body returns only as its very last statement, so that its value can be used
/// directly.
pub(super) fn only_returns_at_end(statements: &[Statement]) -> bool {
    let Some((last, before)) = statements.split_last() else {
        return true;
    };
    !may_return(before)
        && match last {
            Statement::Return { .. } => true,
            Statement::Block(block) => only_returns_at_end(block),
            other => !may_return(std::slice::from_ref(other)),
        }
}
