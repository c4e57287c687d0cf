//! The segments that a body with shared calls is cut into, and the values that pass between them.
//!
//! [`Plan`] is made from the caller's statements alone; `sharing` turns it into code. What always
//! holds: each statement is in one segment; segments are in the order of the text, and a path goes
//! from one only to later ones; a segment that is not conditional is on every path.

use std::collections::{HashMap, HashSet};

use naga::{Expression, Function, Handle, ScalarKind, Span, Statement, SwitchValue};

use super::frame::{Frame, Item, broken, items};
use crate::error::Result;
use crate::kernel::normalise::call_sizes::waits;
use crate::kernel::operands::{
    expression_operands, inner_blocks, statement_operands, statement_result,
};
use crate::kernel::returns::may_return;

/// Integer expressions of at most this many operations are computed again in a later segment.
const SMALL: usize = 12;

/// The number of a segment.
pub(super) type Label = usize;

/// An action of a segment.
pub(super) enum Action<'f> {
    /// A statement without a shared call and without a way out of the segments.
    Copy(Item<'f>),
    If(Handle<Expression>, [Vec<Action<'f>>; 2], Span),
    Switch(Handle<Expression>, Vec<(SwitchValue, bool, Vec<Action<'f>>)>, Span),
    /// Sets the arguments of a shared call; the label is the segment that uses its result.
    Call(Item<'f>, Label),
    /// Continues at this segment.
    Go(Label, Span),
    /// A callee's loop that may return; if it did not, the path continues at that segment.
    Returning(Item<'f>, Label),
    /// The path leaves the segments.
    Jump(Item<'f>),
}

#[derive(Default)]
pub(super) struct Segment<'f> {
    /// The call whose result the segment starts with.
    pub(super) after: Option<Item<'f>>,
    pub(super) actions: Vec<Action<'f>>,
    /// Whether only some paths reach the segment.
    pub(super) conditional: bool,
}

/// How a shared callee gets one argument.
#[derive(Clone, Copy)]
pub(super) enum Passing {
    /// All calls pass this expression of the caller.
    Same(Handle<Expression>),
    /// The argument goes through a local; this is the pointer to it.
    Value(Handle<Expression>),
    /// The pointee goes through a local, and is copied back if the callee may have changed it.
    Copied { local: Handle<Expression>, back: bool },
}

pub(super) struct Callee {
    pub(super) function: Handle<Function>,
    pub(super) span: Span,
    pub(super) passing: Vec<Passing>,
    /// Pointer to the local that takes the result.
    pub(super) result: Option<Handle<Expression>>,
}

/// The segments of one body, and the places of their values.
#[derive(Default)]
pub(super) struct Plan<'f> {
    /// By label.
    pub(super) segments: Vec<Segment<'f>>,
    /// Labels in the order of the text.
    pub(super) order: Vec<Label>,
    /// The segment that computes each of the caller's expressions, for those that segments compute.
    pub(super) home: HashMap<Handle<Expression>, Label>,
    /// Expressions of earlier segments that a segment uses; by label.
    pub(super) needs: Vec<Vec<Handle<Expression>>>,
    /// Expressions that go through a local, with the pointer to it.
    pub(super) kept: HashMap<Handle<Expression>, Handle<Expression>>,
    pub(super) callees: Vec<Callee>,
    /// Pointers to the control locals, if they are needed.
    pub(super) at: Option<Handle<Expression>>,
    pub(super) due: Option<Handle<Expression>>,
    pub(super) leave: Option<Handle<Expression>>,
}

/// The calls of a module: which of them share a copy of their callee.
pub(super) struct Calls {
    /// Whether calls of the current body may share a copy of their callee.
    pub(super) sharing: bool,
    /// By function: whether its calls share a copy if possible.
    pub(super) shared: Vec<bool>,
    /// By function and argument: whether it is a pointer that the function may store through.
    pub(super) stored_arguments: Vec<Vec<bool>>,
    /// By function: whether invocations wait for each other in it.
    pub(super) waiting: Vec<bool>,
}

impl Calls {
    /// How many of these statements, from the first on, are worth running as segments: all up to
    /// the last shared call before a barrier, if the first statement has a shared call and some
    /// callee is called twice.
    pub(super) fn worth_sharing(&self, statements: &[Item<'_>]) -> Option<usize> {
        if !self.sharing || !statements.first().is_some_and(|first| self.has_shared_call(first.0)) {
            return None;
        }
        let wait = statements.iter().position(|item| waits(item.0, &self.waiting));
        let statements = &statements[..wait.unwrap_or(statements.len())];
        let mut calls = Vec::new();
        statements.iter().for_each(|item| self.shared_calls(item.0, &mut calls));
        let twice = (1..calls.len()).any(|i| calls[..i].contains(&calls[i]));
        let last = statements.iter().rposition(|item| self.has_shared_call(item.0))?;
        let whole = statements[..=last].iter().all(|item| !falls_through(item.0));
        (twice && whole).then_some(last + 1)
    }

    pub(super) fn has_shared_call(&self, statement: &Statement) -> bool {
        let mut calls = Vec::new();
        self.shared_calls(statement, &mut calls);
        !calls.is_empty()
    }

    /// Shared callees that a statement calls, except in loops inside of it.
    fn shared_calls(&self, statement: &Statement, found: &mut Vec<Handle<Function>>) {
        match statement {
            Statement::Call { function, .. } if self.shared[function.index()] => {
                found.push(*function);
            }
            Statement::Loop { .. } => {}
            other => {
                let inner = inner_blocks(other).into_iter().flatten();
                inner.for_each(|statement| self.shared_calls(statement, found));
            }
        }
    }

    /// Fills segment `here` with statements, and creates the segments after it; the path continues
    /// at `next`. In a switch, `breaks` is the target of a `break`.
    pub(super) fn plan<'f>(
        &self,
        plan: &mut Plan<'f>,
        keep: bool,
        statements: &[Item<'f>],
        (here, next): (Label, Label),
        breaks: Option<Label>,
    ) {
        plan.order.push(here);
        let actions = self.actions(plan, keep, statements, next, breaks);
        plan.segments[here].actions = actions;
        // The segments that the actions lead to were filled meanwhile, and follow in the order.
    }

    /// The actions of the current segment for these statements. If they continue in another
    /// segment, that segment is filled too.
    fn actions<'f>(
        &self,
        plan: &mut Plan<'f>,
        keep: bool,
        statements: &[Item<'f>],
        next: Label,
        breaks: Option<Label>,
    ) -> Vec<Action<'f>> {
        let mut actions = Vec::new();
        for (i, &item) in statements.iter().enumerate() {
            let (statement, span) = item;
            let rest = &statements[i + 1..];
            if !self.is_cut(statement, keep) {
                actions.push(Action::Copy(item));
                continue;
            }
            match statement {
                Statement::Return { .. } | Statement::Kill if keep => {
                    actions.push(Action::Copy(item));
                }
                Statement::Call { .. } => {
                    let then = plan.label();
                    plan.segments[then].after = Some(item);
                    actions.push(Action::Call(item, then));
                    self.plan(plan, keep, rest, (then, next), breaks);
                }
                Statement::If { condition, accept, reject } => {
                    let then = if rest.is_empty() { next } else { plan.label() };
                    let branches = [accept, reject]
                        .map(|branch| self.actions(plan, keep, &items(branch), then, breaks));
                    actions.push(Action::If(*condition, branches, span));
                    if !rest.is_empty() {
                        self.plan(plan, keep, rest, (then, next), breaks);
                    }
                }
                Statement::Switch { selector, cases } => {
                    let then = if rest.is_empty() { next } else { plan.label() };
                    let cases = cases.iter().map(|case| {
                        // naga has only empty cases that fall through for WGSL.
                        let body = match case.fall_through {
                            true => Vec::new(),
                            false => self.actions(plan, keep, &items(&case.body), then, Some(then)),
                        };
                        (case.value, case.fall_through, body)
                    });
                    let cases = cases.collect();
                    actions.push(Action::Switch(*selector, cases, span));
                    if !rest.is_empty() {
                        self.plan(plan, keep, rest, (then, next), breaks);
                    }
                }
                Statement::Loop { .. } => {
                    let then = if rest.is_empty() { next } else { plan.label() };
                    actions.push(Action::Returning(item, then));
                    if !rest.is_empty() {
                        self.plan(plan, keep, rest, (then, next), breaks);
                    }
                }
                Statement::Break if breaks.is_some() => {
                    actions.push(Action::Go(breaks.unwrap_or(next), span));
                }
                _ => actions.push(Action::Jump(item)),
            }
            return actions;
        }
        let span = statements.last().map_or(Span::UNDEFINED, |item| item.1);
        actions.push(Action::Go(next, span));
        actions
    }

    /// Whether a statement ends its segment: it has a shared call, or leaves the segments.
    fn is_cut(&self, statement: &Statement, keep: bool) -> bool {
        let ends = matches!(statement, Statement::Return { .. } | Statement::Kill);
        self.has_shared_call(statement)
            || ends
            || leaves_body(statement, false)
            || !keep && may_return(std::slice::from_ref(statement))
    }
}

/// Finds the expressions that each segment takes from others, and those that need a local.
pub(super) fn find_needs(module: &naga::Module, frame: &Frame<'_>, plan: &mut Plan<'_>) {
    plan.needs = vec![Vec::new(); plan.segments.len()];
    let mut kept = HashSet::new();
    for label in plan.order.clone() {
        let mut used = Vec::new();
        used_in_actions(frame.function, &plan.segments[label].actions, &mut used);
        if let Some((Statement::Call { arguments, .. }, _)) = plan.segments[label].after {
            // Pointers to arguments that are copied back.
            used.extend(arguments);
        }
        let mut needs: Vec<Handle<Expression>> = Vec::new();
        for expression in used {
            let foreign = plan.home.get(&expression).is_some_and(|&home| home != label);
            if foreign && !needs.contains(&expression) {
                needs.push(expression);
                keep(module, frame, plan, expression, &mut kept);
            }
        }
        plan.needs[label] = needs;
    }
    plan.kept = kept.into_iter().map(|expression| (expression, expression)).collect();
}

/// Finds the values that must be kept in locals so that another segment can use an expression.
fn keep(
    module: &naga::Module,
    frame: &Frame<'_>,
    plan: &Plan<'_>,
    expression: Handle<Expression>,
    kept: &mut HashSet<Handle<Expression>>,
) {
    if !plan.home.contains_key(&expression) || kept.contains(&expression) {
        return;
    }
    if !is_computed_again(module, frame, plan, expression) {
        kept.insert(expression);
        return;
    }
    let mut inner = frame.function.expressions[expression].clone();
    expression_operands(&mut inner, |operand| keep(module, frame, plan, *operand, kept));
}

/// Whether an expression is computed again instead of being kept in a local: a pointer, or a small
/// expression on integers. Each operand is decided in the same way.
fn is_computed_again(
    module: &naga::Module,
    frame: &Frame<'_>,
    plan: &Plan<'_>,
    expression: Handle<Expression>,
) -> bool {
    let inner = frame.info[expression].ty.inner_with(&module.types);
    if inner.pointer_space().is_some() {
        return true;
    }
    let integers = inner.scalar_kind().is_some_and(|kind| kind != ScalarKind::Float);
    integers && size_of_pure(frame.function, plan, expression, SMALL).is_some()
}

impl<'f> Plan<'f> {
    pub(super) fn label(&mut self) -> Label {
        self.segments.push(Segment::default());
        self.segments.len() - 1
    }

    /// A label's position in the order of the text, from 1.
    pub(super) fn number(&self, label: Label) -> u32 {
        self.order.iter().position(|&l| l == label).map_or(0, |at| at as u32 + 1)
    }

    pub(super) fn callee(&self, function: Handle<Function>) -> Result<&Callee> {
        let found = self.callees.iter().find(|callee| callee.function == function);
        found.ok_or_else(|| broken("a shared callee without a copy"))
    }

    /// Marks all segments as conditional except those that every path from the first one reaches.
    pub(super) fn mark_conditional(&mut self, first: Label) {
        self.segments.iter_mut().for_each(|segment| segment.conditional = true);
        let mut at = Some(first);
        while let Some(label) = at {
            self.segments[label].conditional = false;
            at = match self.segments[label].actions.last() {
                Some(&Action::Call(_, then) | &Action::Go(then, _)) => Some(then),
                _ => None,
            };
        }
    }

    /// Puts the last segment after the loop. A segment that only waits for the last call needs no
    /// iteration of its own.
    pub(super) fn end_at(&mut self, done: Label) {
        if let Some(&last) = self.order.last()
            && !self.segments[last].conditional
            && matches!(self.segments[last].actions[..], [Action::Go(..)])
        {
            self.segments[done].after = self.segments[last].after.take();
            self.order.pop();
        }
        self.order.push(done);
    }

    pub(super) fn find_homes(&mut self) {
        for &label in &self.order {
            let segment = &self.segments[label];
            if let Some((Statement::Call { result: Some(result), .. }, _)) = segment.after {
                self.home.insert(*result, label);
            }
            let mut found = Vec::new();
            for action in &segment.actions {
                computed_by(action, &mut found);
            }
            self.home.extend(found.into_iter().map(|expression| (expression, label)));
        }
    }
}

/// Whether a `break` or `continue` in a statement may leave the loop body or switch case that the
/// statement stands in.
fn leaves_body(statement: &Statement, in_switch: bool) -> bool {
    match statement {
        Statement::Break => !in_switch,
        Statement::Continue => true,
        Statement::Loop { .. } => false,
        other => {
            let in_switch = in_switch || matches!(other, Statement::Switch { .. });
            inner_blocks(other).into_iter().flatten().any(|s| leaves_body(s, in_switch))
        }
    }
}

/// Whether a switch outside of loops has a case with statements that falls through.
fn falls_through(statement: &Statement) -> bool {
    match statement {
        Statement::Loop { .. } => false,
        Statement::Switch { cases, .. }
            if cases.iter().any(|case| case.fall_through && !case.body.is_empty()) =>
        {
            true
        }
        other => inner_blocks(other).into_iter().flatten().any(falls_through),
    }
}

pub(super) fn leaves_loop(actions: &[Action<'_>]) -> bool {
    actions.iter().any(|action| match action {
        Action::Jump((statement, _)) => {
            matches!(statement, Statement::Break | Statement::Continue)
        }
        Action::If(_, branches, _) => branches.iter().any(|branch| leaves_loop(branch)),
        Action::Switch(_, cases, _) => cases.iter().any(|(_, _, actions)| leaves_loop(actions)),
        _ => false,
    })
}

/// The expressions that a statement computes for later statements.
pub(super) fn results(statement: &Statement, found: &mut Vec<Handle<Expression>>) {
    match statement {
        Statement::Emit(range) => found.extend(range.clone()),
        other => found.extend(statement_result(&mut other.clone()).copied()),
    }
}

/// The expressions that an action computes for later actions.
fn computed_by(action: &Action<'_>, found: &mut Vec<Handle<Expression>>) {
    match action {
        Action::Copy((statement, _)) => results(statement, found),
        Action::If(_, branches, _) => {
            branches.iter().flatten().for_each(|action| computed_by(action, found));
        }
        Action::Switch(_, cases, _) => {
            cases.iter().flat_map(|case| &case.2).for_each(|action| computed_by(action, found));
        }
        Action::Call(..) | Action::Go(..) | Action::Returning(..) | Action::Jump(..) => {}
    }
}

/// The expressions that a statement and the statements inside of it use.
pub(super) fn used(
    function: &Function,
    statement: &Statement,
    found: &mut Vec<Handle<Expression>>,
) {
    if let Statement::Emit(range) = statement {
        for expression in range.clone() {
            let mut expression = function.expressions[expression].clone();
            expression_operands(&mut expression, |operand| found.push(*operand));
        }
        return;
    }
    for inner in inner_blocks(statement).into_iter().flatten() {
        used(function, inner, found);
    }
    match statement {
        // Avoids a clone of the statement with its blocks.
        Statement::If { condition: one, .. }
        | Statement::Switch { selector: one, .. }
        | Statement::Loop { break_if: Some(one), .. } => found.push(*one),
        Statement::Block(_) | Statement::Loop { .. } => {}
        other => statement_operands(&mut other.clone(), |operand| found.push(*operand)),
    }
}

fn used_in_actions(
    function: &Function,
    actions: &[Action<'_>],
    found: &mut Vec<Handle<Expression>>,
) {
    for action in actions {
        match action {
            Action::Copy((statement, _))
            | Action::Call((statement, _), _)
            | Action::Returning((statement, _), _)
            | Action::Jump((statement, _)) => used(function, statement, found),
            Action::If(condition, branches, _) => {
                found.push(*condition);
                branches.iter().for_each(|branch| used_in_actions(function, branch, found));
            }
            Action::Switch(selector, cases, _) => {
                found.push(*selector);
                cases.iter().for_each(|case| used_in_actions(function, &case.2, found));
            }
            Action::Go(..) => {}
        }
    }
}

/// The number of operations of an expression that depends only on its operands, if it is at most
/// `most`. Operands that are not such expressions count as one.
fn size_of_pure(
    function: &Function,
    plan: &Plan<'_>,
    expression: Handle<Expression>,
    most: usize,
) -> Option<usize> {
    if !is_pure(&function.expressions[expression]) {
        return None;
    }
    let mut size = Some(1);
    let mut inner = function.expressions[expression].clone();
    expression_operands(&mut inner, |operand| {
        let pure = plan.home.contains_key(operand) && is_pure(&function.expressions[*operand]);
        size = size.filter(|&size| size < most).and_then(|size| match pure {
            true => Some(size + size_of_pure(function, plan, *operand, most - size)?),
            false => Some(size + 1),
        });
    });
    size.filter(|&size| size <= most)
}

fn is_pure(expression: &Expression) -> bool {
    matches!(
        expression,
        Expression::Compose { .. }
            | Expression::Access { .. }
            | Expression::AccessIndex { .. }
            | Expression::Splat { .. }
            | Expression::Swizzle { .. }
            | Expression::Unary { .. }
            | Expression::Binary { .. }
            | Expression::Select { .. }
            | Expression::Math { .. }
            | Expression::Relational { .. }
            | Expression::As { .. }
            | Expression::ArrayLength(_)
    )
}
