//! Calls of one body that share one inlined copy of their callee.
//!
//! The statements from the first such call of a body to the last are cut into *segments*. A segment
//! ends at a call, or before a point where paths meet behind a call. A counted loop runs at most
//! one segment in each iteration, in the order of the text. Each callee stands once, after the
//! segments:
//!
//! ```text
//! let x = f(a) + f(b);        for (turn = 0; turn < 2; turn++) {
//!                                 switch turn { case 0: { argument = a; }
//!                                               default: { x0 = result; argument = b; } }
//!                                 result = f(argument);
//!                             }
//!                             let x = x0 + result;
//! ```
//!
//! A segment that only some paths reach is guarded: it runs if `at` holds its number. `due` names
//! the callee that an iteration ends with, if that is not the same in all iterations. Values that
//! one segment computes and a later one uses go through a local. Pointers and small integer
//! expressions are computed again instead, so that indices stay as easy to bound as they were. A
//! pointer argument that differs between calls is passed by copying the pointee in and out, since
//! WGSL forbids that the callee accesses it in another way. A `break` or `continue` of a
//! surrounding loop is executed after the loop over the segments (`leave`).
//!
//! What always holds: the number of iterations is known; all invocations execute the same
//! iterations; segments run in the order of the text, each at most once. No segment has a barrier:
//! the validator does not take the loop counter for uniform.

use naga::{
    BinaryOperator, Block, Expression, Handle, Span, Statement, SwitchCase, SwitchValue, TypeInner,
};

use super::copier::Copier;
use super::frame::{Frame, Item, Returns, broken};
use super::leaving::lower_return;
use super::segments::{Action, Callee, Label, Passing, Plan, find_needs, leaves_loop, results};
use crate::error::Result;
use crate::kernel::operands::expression_operands;
use crate::kernel::returns::may_return;

const BREAK: u32 = 1;
const CONTINUE: u32 = 2;

/// Copies statements, with all shared calls in the first `count` of them.
pub(super) fn copy_sharing<'a, 'f, C: Copier<'a>>(
    c: &mut C,
    frame: &mut Frame<'f>,
    statements: &[Item<'f>],
    count: usize,
    returns: Returns,
    out: &mut Block,
) -> Result<()> {
    let span = statements[0].1;
    let (inside, rest) = statements.split_at(count);
    let mut plan = Plan::default();
    let first = plan.label();
    let done = plan.label();
    let keep = returns == Returns::Keep;
    c.calls().plan(&mut plan, keep, inside, (first, done), None);
    plan.segments[done].actions = rest.iter().map(|&item| Action::Copy(item)).collect();
    plan.mark_conditional(first);
    plan.end_at(done);
    plan.find_homes();
    find_needs(c.body().module, frame, &mut plan);
    locals_of(c, frame, &mut plan, span)?;
    turns(c, frame, &mut plan, keep, span, out)?;

    // Paths that left a surrounding loop leave it now.
    if let Some(leave) = plan.leave {
        let statements = [(BREAK, Statement::Break), (CONTINUE, Statement::Continue)];
        for (value, statement) in statements {
            let mut accept = Block::new();
            accept.push(statement, span);
            c.body().if_is(leave, value, accept, span, out)?;
        }
    }
    let mut end = Block::new();
    segment_start(c, frame, &plan, done, &mut end)?;
    let returns_inside = |item: &Item<'_>| may_return(std::slice::from_ref(item.0));
    let may_have_returned = !keep && inside.iter().any(returns_inside);
    if !may_have_returned {
        out.append(&mut end);
        return c.copy(frame, rest, returns, out);
    }
    let condition = c.body().load_returned(frame, span, out)?;
    if matches!(returns, Returns::Break { .. }) {
        let mut accept = Block::new();
        accept.push(Statement::Break, span);
        out.push(Statement::If { condition, accept, reject: Block::new() }, span);
        out.append(&mut end);
        return c.copy(frame, rest, returns, out);
    }
    c.enter(1, 0, span)?;
    c.copy(frame, rest, returns, &mut end)?;
    c.leave(1, 0);
    out.push(Statement::If { condition, accept: Block::new(), reject: end }, span);
    Ok(())
}

/// Makes the locals: for arguments and results, for kept values, and for control.
fn locals_of<'a, C: Copier<'a>>(
    c: &mut C,
    frame: &mut Frame<'_>,
    plan: &mut Plan<'_>,
    span: Span,
) -> Result<()> {
    let mut kept: Vec<_> = plan.kept.keys().copied().collect();
    kept.sort_by_key(|expression| expression.index());
    for expression in kept {
        let ty = c.body().type_of(frame, expression);
        let name = frame.function.named_expressions.get(&expression).cloned();
        let at = frame.function.expressions.get_span(expression);
        let local = c.body().local(name, ty, None, at)?;
        plan.kept.insert(expression, local);
    }
    let mut calls = Vec::new();
    for segment in &plan.segments {
        calls.extend(segment.after);
    }
    for (statement, at) in &calls {
        let Statement::Call { function, .. } = statement else { continue };
        if plan.callees.iter().any(|callee| callee.function == *function) {
            continue;
        }
        let sites: Vec<&Vec<Handle<Expression>>> = calls
            .iter()
            .filter_map(|(statement, _)| match statement {
                Statement::Call { function: of, arguments, .. } if of == function => {
                    Some(arguments)
                }
                _ => None,
            })
            .collect();
        let callee = &c.function(*function);
        let mut passing = Vec::new();
        for (i, argument) in callee.arguments.iter().enumerate() {
            let first = sites[0][i];
            let lasts = !plan.home.contains_key(&first);
            if lasts && sites.iter().all(|arguments| arguments[i] == first) {
                passing.push(Passing::Same(first));
                continue;
            }
            let name = argument.name.clone();
            passing.push(match c.body().module.types[argument.ty].inner {
                TypeInner::Pointer { base, .. } => {
                    let back = c.calls().stored_arguments[function.index()][i];
                    Passing::Copied { local: c.body().local(name, base, None, *at)?, back }
                }
                _ => Passing::Value(c.body().local(name, argument.ty, None, *at)?),
            });
        }
        let name = callee.name.as_ref().map(|name| format!("{name}_result"));
        let result = match &callee.result {
            Some(result) => Some(c.body().local(name, result.ty, None, *at)?),
            None => None,
        };
        plan.callees.push(Callee { function: *function, span: *at, passing, result });
    }
    let turns = &plan.order[..plan.order.len() - 1];
    let always = |&label: &Label| {
        !plan.segments[label].conditional
            && matches!(plan.segments[label].actions.last(), Some(Action::Call(..)))
    };
    let due = plan.callees.len() > 1 || !turns.iter().all(always);
    if turns.iter().any(|&label| plan.segments[label].conditional) {
        plan.at = Some(c.body().steering_local("at", span)?);
    }
    if due {
        plan.due = Some(c.body().steering_local("due", span)?);
    }
    if plan.order.iter().any(|&l| leaves_loop(&plan.segments[l].actions)) {
        plan.leave = Some(c.body().steering_local("leave", span)?);
    }
    Ok(())
}

/// The loop over the segments.
fn turns<'a, 'f, C: Copier<'a>>(
    c: &mut C,
    frame: &mut Frame<'f>,
    plan: &mut Plan<'f>,
    keep: bool,
    span: Span,
    out: &mut Block,
) -> Result<()> {
    let turns = plan.order[..plan.order.len() - 1].to_vec();
    let turn = c.body().steering_local("turn", span)?;
    for local in [plan.at, plan.due, plan.leave, Some(turn)].into_iter().flatten() {
        c.body().store_number(local, 0, span, out)?;
    }
    c.enter(3, 1, span)?;
    let mut body = Block::new();
    let more = c.body().compare(turn, BinaryOperator::Less, turns.len() as u32, span, &mut body)?;
    let mut reject = Block::new();
    reject.push(Statement::Break, span);
    body.push(Statement::If { condition: more, accept: Block::new(), reject }, span);
    if let Some(due) = plan.due {
        c.body().store_number(due, 0, span, &mut body)?;
    }
    let selector = c.body().push(Expression::Load { pointer: turn }, span, &mut body);
    let mut cases = Vec::with_capacity(turns.len());
    for (i, &label) in turns.iter().enumerate() {
        let mut segment = Block::new();
        segment_start(c, frame, plan, label, &mut segment)?;
        let actions = std::mem::take(&mut plan.segments[label].actions);
        perform(c, frame, plan, keep, actions, &mut segment)?;
        if let (true, Some(at)) = (plan.segments[label].conditional, plan.at) {
            let accept = std::mem::take(&mut segment);
            c.body().if_is(at, plan.number(label), accept, span, &mut segment)?;
        }
        let last = i + 1 == turns.len();
        let value = if last { SwitchValue::Default } else { SwitchValue::U32(i as u32) };
        cases.push(SwitchCase { value, body: segment, fall_through: false });
    }
    body.push(Statement::Switch { selector, cases }, span);
    for i in 0..plan.callees.len() {
        let mut call = Block::new();
        shared_call(c, frame, &plan.callees[i], &mut call)?;
        match plan.due {
            Some(due) => c.body().if_is(due, i as u32 + 1, call, span, &mut body)?,
            None => body.append(&mut call),
        }
    }
    let mut continuing = Block::new();
    let one = c.body().number(1, span)?;
    let left = c.body().push(Expression::Load { pointer: turn }, span, &mut continuing);
    let sum = Expression::Binary { op: BinaryOperator::Add, left, right: one };
    let value = c.body().push(sum, span, &mut continuing);
    continuing.push(Statement::Store { pointer: turn, value }, span);
    out.push(Statement::Loop { body, continuing, break_if: None }, span);
    c.leave(3, 1);
    Ok(())
}

/// The one copy of a callee.
fn shared_call<'a, C: Copier<'a>>(
    c: &mut C,
    frame: &mut Frame<'_>,
    callee: &Callee,
    out: &mut Block,
) -> Result<()> {
    let mut arguments = Vec::with_capacity(callee.passing.len());
    for passing in &callee.passing {
        arguments.push(match *passing {
            Passing::Same(expression) => frame.get(expression)?,
            Passing::Value(pointer) => {
                c.body().push(Expression::Load { pointer }, callee.span, out)
            }
            Passing::Copied { local, .. } => local,
        });
    }
    let value = c.call(callee.function, arguments, callee.span, out)?;
    if let (Some(pointer), Some(value)) = (callee.result, value) {
        out.push(Statement::Store { pointer, value }, callee.span);
    }
    Ok(())
}

/// The start of a segment: the end of the call before it, and the values that it takes from
/// others.
fn segment_start<'a, C: Copier<'a>>(
    c: &mut C,
    frame: &mut Frame<'_>,
    plan: &Plan<'_>,
    label: Label,
    out: &mut Block,
) -> Result<()> {
    for &expression in &plan.needs[label] {
        let new = take(c, frame, plan, label, expression, out)?;
        frame.map[expression.index()] = Some(new);
    }
    let Some((Statement::Call { function, arguments, result }, span)) = plan.segments[label].after
    else {
        return Ok(());
    };
    let callee = plan.callee(*function)?;
    if let (Some(result), Some(pointer)) = (result, callee.result) {
        let value = c.body().push(Expression::Load { pointer }, span, out);
        frame.map[result.index()] = Some(value);
        computed(c, frame, plan, *result, span, out)?;
    }
    for (passing, &argument) in callee.passing.iter().zip(arguments) {
        if let Passing::Copied { local, back: true } = *passing {
            let pointer = frame.get(argument)?;
            let value = c.body().push(Expression::Load { pointer: local }, span, out);
            out.push(Statement::Store { pointer, value }, span);
        }
    }
    Ok(())
}

/// Takes an expression of another segment.
fn take<'a, C: Copier<'a>>(
    c: &mut C,
    frame: &Frame<'_>,
    plan: &Plan<'_>,
    label: Label,
    expression: Handle<Expression>,
    out: &mut Block,
) -> Result<Handle<Expression>> {
    let span = frame.function.expressions.get_span(expression);
    if plan.home.get(&expression).is_none_or(|&home| home == label) {
        return frame.get(expression);
    }
    if let Some(&pointer) = plan.kept.get(&expression) {
        return Ok(c.body().push(Expression::Load { pointer }, span, out));
    }
    let mut again = frame.function.expressions[expression].clone();
    let mut failed = None;
    expression_operands(&mut again, |operand| match take(c, frame, plan, label, *operand, out) {
        Ok(new) => *operand = new,
        Err(error) => failed = Some(error),
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(c.body().push(again, span, out)),
    }
}

/// Keeps an expression that was just computed, if a later segment takes it, together with its
/// name.
fn computed<'a, C: Copier<'a>>(
    c: &mut C,
    frame: &Frame<'_>,
    plan: &Plan<'_>,
    expression: Handle<Expression>,
    span: Span,
    out: &mut Block,
) -> Result<()> {
    if let Some(&pointer) = plan.kept.get(&expression) {
        let value = frame.get(expression)?;
        out.push(Statement::Store { pointer, value }, span);
        if let Some(name) = frame.function.named_expressions.get(&expression)
            && !c.body().expressions[value].needs_pre_emit()
        {
            c.body().names.push((value, name.clone()));
        }
    }
    Ok(())
}

fn perform<'a, 'f, C: Copier<'a>>(
    c: &mut C,
    frame: &mut Frame<'f>,
    plan: &Plan<'f>,
    keep: bool,
    actions: Vec<Action<'f>>,
    out: &mut Block,
) -> Result<()> {
    let inside = if keep { Returns::Keep } else { Returns::Flag };
    for action in actions {
        match action {
            Action::Copy(item) => {
                c.copy(frame, &[item], inside, out)?;
                let mut found = Vec::new();
                results(item.0, &mut found);
                for expression in found {
                    computed(c, frame, plan, expression, item.1, out)?;
                }
            }
            Action::If(condition, branches, span) => {
                let condition = frame.get(condition)?;
                let [accept, reject] = branches;
                let accept = performed(c, frame, plan, keep, accept, span)?;
                let reject = performed(c, frame, plan, keep, reject, span)?;
                out.push(Statement::If { condition, accept, reject }, span);
            }
            Action::Switch(selector, cases, span) => {
                let selector = frame.get(selector)?;
                let mut copied = Vec::with_capacity(cases.len());
                for (value, fall_through, actions) in cases {
                    let body = performed(c, frame, plan, keep, actions, span)?;
                    copied.push(SwitchCase { value, body, fall_through });
                }
                out.push(Statement::Switch { selector, cases: copied }, span);
            }
            Action::Call((statement, span), then) => {
                let Statement::Call { function, arguments, .. } = statement else { continue };
                let callee = plan.callee(*function)?;
                for (passing, &argument) in callee.passing.iter().zip(arguments) {
                    let argument = frame.get(argument)?;
                    match *passing {
                        Passing::Same(_) => {}
                        Passing::Value(pointer) => {
                            out.push(Statement::Store { pointer, value: argument }, span);
                        }
                        Passing::Copied { local, .. } => {
                            let load = Expression::Load { pointer: argument };
                            let value = c.body().push(load, span, out);
                            out.push(Statement::Store { pointer: local, value }, span);
                        }
                    }
                }
                if let Some(due) = plan.due {
                    let of = |callee: &Callee| callee.function == *function;
                    let number = plan.callees.iter().position(of).unwrap_or(0) as u32 + 1;
                    c.body().store_number(due, number, span, out)?;
                }
                go(c, plan, then, span, out)?;
            }
            Action::Go(then, span) => go(c, plan, then, span, out)?,
            Action::Returning(item, then) => {
                c.copy(frame, &[item], Returns::Flag, out)?;
                let condition = c.body().load_returned(frame, item.1, out)?;
                let mut reject = Block::new();
                go(c, plan, then, item.1, &mut reject)?;
                let accept = Block::new();
                out.push(Statement::If { condition, accept, reject }, item.1);
            }
            Action::Jump((statement, span)) => match (statement, plan.leave) {
                (Statement::Break, Some(leave)) => {
                    c.body().store_number(leave, BREAK, span, out)?;
                }
                (Statement::Continue, Some(leave)) => {
                    c.body().store_number(leave, CONTINUE, span, out)?;
                }
                (Statement::Return { value }, _) => {
                    lower_return(c, frame, *value, span, inside, out)?;
                }
                _ => return Err(broken("a way out of a body that is not known")),
            },
        }
    }
    Ok(())
}

fn performed<'a, 'f, C: Copier<'a>>(
    c: &mut C,
    frame: &mut Frame<'f>,
    plan: &Plan<'f>,
    keep: bool,
    actions: Vec<Action<'f>>,
    span: Span,
) -> Result<Block> {
    let mut out = Block::new();
    c.enter(1, 0, span)?;
    perform(c, frame, plan, keep, actions, &mut out)?;
    c.leave(1, 0);
    Ok(out)
}

fn go<'a, C: Copier<'a>>(
    c: &mut C,
    plan: &Plan<'_>,
    then: Label,
    span: Span,
    out: &mut Block,
) -> Result<()> {
    match plan.at {
        Some(at) if plan.segments[then].conditional => {
            c.body().store_number(at, plan.number(then), span, out)
        }
        _ => Ok(()),
    }
}
