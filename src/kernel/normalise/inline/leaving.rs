//! How a callee's returns are lowered, once its statements stand in the entry point.
//!
//! A return stores to a local of the call. The rest depends on where the return stands
//! ([`Returns`]):
//! - a body that only returns as its last statement needs no local: its value is used directly;
//! - if nothing of the callee follows, control just reaches the end of the block;
//! - after `if c { …return } rest`, `rest` moves into the other branch;
//! - if `rest` cannot move (both branches may continue), the return sets a `returned` local, which
//!   guards `rest`;
//! - in a loop or a switch of the callee, the return breaks, and `if returned { break; }` follows
//!   each loop or switch that is itself inside another.
//!
//! This lowering adds no loops.

use naga::{Block, Expression, Function, Handle, Span, Statement, SwitchCase};

use super::copier::Copier;
use super::frame::{Frame, Item, Returns, Split, broken, items};
use super::segments::{self, results};
use crate::error::Result;
use crate::kernel::returns::{always_returns, may_return};

/// Whether statements before the last `Emit` of a block compute an expression.
fn computed_early(block: &Block, expression: Handle<Expression>) -> bool {
    let late = usize::from(matches!(block.last(), Some(Statement::Emit(_))));
    let mut computed = Vec::new();
    block[..block.len() - late].iter().for_each(|statement| results(statement, &mut computed));
    computed.contains(&expression)
}

/// Whether a loop's `continuing` uses values that its body computes.
fn uses_from(function: &Function, body: &Block, continuing: &Block) -> bool {
    let mut computed = Vec::new();
    body.iter().for_each(|statement| results(statement, &mut computed));
    let mut used = Vec::new();
    continuing.iter().for_each(|statement| segments::used(function, statement, &mut used));
    used.iter().any(|expression| computed.contains(expression))
}

pub(super) fn lower_return<'a, C: Copier<'a>>(
    c: &mut C,
    frame: &mut Frame<'_>,
    value: Option<Handle<Expression>>,
    span: Span,
    returns: Returns,
    out: &mut Block,
) -> Result<()> {
    let value = value.map(|value| frame.get(value)).transpose()?;
    if returns == Returns::Keep {
        out.push(Statement::Return { value }, span);
        return Ok(());
    }
    if frame.direct {
        frame.value = value;
        return Ok(());
    }
    if let (Some(pointer), Some(value)) = (frame.result, value) {
        out.push(Statement::Store { pointer, value }, span);
    }
    if matches!(returns, Returns::Flag | Returns::Break { flag: true }) {
        let pointer = c.body().returned(frame, span)?;
        let value = c.body().literal(true, span)?;
        out.push(Statement::Store { pointer, value }, span);
    }
    if matches!(returns, Returns::Break { .. }) {
        out.push(Statement::Break, span);
    }
    Ok(())
}

/// Copies an `If`. Returns true if it also took care of the statements after it.
pub(super) fn copy_if<'a, 'f, C: Copier<'a>>(
    c: &mut C,
    frame: &mut Frame<'f>,
    statement: &Statement,
    Split { condition, mut accept, mut reject, span }: Split<'f>,
    rest: &[Item<'f>],
    returns: Returns,
    out: &mut Block,
) -> Result<bool> {
    let moves = matches!(returns, Returns::Tail | Returns::Flag)
        && !frame.direct
        && may_return(std::slice::from_ref(statement));
    let mut inside = returns;
    let mut guarded = false;
    if moves && let Statement::If { accept: yes, reject: no, .. } = statement {
        match (always_returns(yes), always_returns(no)) {
            (true, true) => {}
            (true, false) => reject.extend_from_slice(rest),
            (false, true) => accept.extend_from_slice(rest),
            (false, false) if rest.is_empty() => {}
            (false, false) => {
                inside = Returns::Flag;
                guarded = true;
            }
        }
    }
    let accept = c.nested(frame, &accept, span, inside)?;
    let reject = c.nested(frame, &reject, span, inside)?;
    out.push(Statement::If { condition, accept, reject }, span);
    if guarded {
        guard(c, frame, rest, span, returns, out)?;
    }
    Ok(moves)
}

/// Copies a `Switch` or a `Loop`. Returns true if it also took care of the statements after it.
pub(super) fn copy_breakable<'a, 'f, C: Copier<'a>>(
    c: &mut C,
    frame: &mut Frame<'f>,
    statement: &'f Statement,
    span: Span,
    rest: &[Item<'f>],
    returns: Returns,
    out: &mut Block,
) -> Result<bool> {
    let this = std::slice::from_ref(statement);
    let leaves = returns != Returns::Keep && !frame.direct && may_return(this);
    let ends = leaves && always_returns(this);
    let inside = match returns {
        Returns::Keep => Returns::Keep,
        Returns::Tail => Returns::Break { flag: !ends && !rest.is_empty() },
        // Even if every path returns, the guard around a later statement reads `returned`.
        Returns::Flag => Returns::Break { flag: true },
        Returns::Break { flag } => Returns::Break { flag: flag || !ends },
    };
    let new = match statement {
        Statement::Switch { selector, cases } => {
            let mut copied = Vec::with_capacity(cases.len());
            for case in cases {
                let body = c.nested(frame, &items(&case.body), span, inside)?;
                copied.push(SwitchCase {
                    value: case.value,
                    body,
                    fall_through: case.fall_through,
                });
            }
            Statement::Switch { selector: frame.get(*selector)?, cases: copied }
        }
        Statement::Loop { body, continuing, break_if } => {
            c.enter(0, 1, span)?;
            // A segment must not compute values that the body computes for `continuing`.
            let alone = break_if.is_none() && !uses_from(frame.function, body, continuing);
            let sharing = c.calls().sharing;
            c.calls().sharing &= alone;
            let body = c.nested(frame, &items(body), span, inside)?;
            // Nor values that `continuing` computes for `break if`.
            c.calls().sharing = sharing && break_if.is_none_or(|c| !computed_early(continuing, c));
            let continuing = c.nested(frame, &items(continuing), span, inside)?;
            c.calls().sharing = sharing;
            c.leave(0, 1);
            let break_if = break_if.map(|condition| frame.get(condition)).transpose()?;
            Statement::Loop { body, continuing, break_if }
        }
        _ => return Err(broken("neither a switch nor a loop")),
    };
    out.push(new, span);
    if !leaves {
        return Ok(false);
    }
    match returns {
        Returns::Keep => Ok(false),
        Returns::Break { .. } if ends => {
            out.push(Statement::Break, span);
            Ok(true)
        }
        Returns::Break { .. } => {
            let condition = c.body().load_returned(frame, span, out)?;
            let mut accept = Block::new();
            accept.push(Statement::Break, span);
            out.push(Statement::If { condition, accept, reject: Block::new() }, span);
            Ok(false)
        }
        Returns::Tail | Returns::Flag => {
            if !ends && !rest.is_empty() {
                guard(c, frame, rest, span, returns, out)?;
            }
            Ok(true)
        }
    }
}

/// `if returned {} else { rest }`.
fn guard<'a, 'f, C: Copier<'a>>(
    c: &mut C,
    frame: &mut Frame<'f>,
    rest: &[Item<'f>],
    span: Span,
    returns: Returns,
    out: &mut Block,
) -> Result<()> {
    let condition = c.body().load_returned(frame, span, out)?;
    let reject = c.nested(frame, rest, span, returns)?;
    out.push(Statement::If { condition, accept: Block::new(), reject }, span);
    Ok(())
}
