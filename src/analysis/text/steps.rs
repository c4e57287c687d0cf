//! The steps of the entry point: its statements without nested blocks, and the places where control leaves
//! them.
//!
//! Steps own only handles into the module. Loops are numbered in pre-order, a loop's `body` before its
//! `continuing`.

use naga::{Expression, Handle, Span, SwitchValue};

/// Statements in order, with nested blocks inlined.
pub(crate) type Steps = Vec<Step>;

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Emit(naga::Range<Expression>),
    If {
        condition: Handle<Expression>,
        accept: Steps,
        reject: Steps,
        /// Whether control may leave each branch other than at its end.
        escapes: [bool; 2],
    },
    Switch {
        selector: Handle<Expression>,
        cases: Vec<Case>,
        /// Whether control may leave the switch other than to the step after it.
        escapes: bool,
    },
    Loop(Box<Loop>),
    Break,
    Continue,
    Return,
    Store {
        pointer: Handle<Expression>,
        value: Handle<Expression>,
        span: Span,
    },
    Atomic {
        pointer: Handle<Expression>,
        result: Option<Handle<Expression>>,
        span: Span,
    },
    /// An expression whose value comes from other invocations or from workgroup memory.
    Unpredictable(Handle<Expression>),
}

#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) value: SwitchValue,
    pub(crate) body: Steps,
    pub(crate) fall_through: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Loop {
    /// Its number.
    pub(crate) id: usize,
    pub(crate) span: Span,
    pub(crate) body: Steps,
    pub(crate) continuing: Steps,
    pub(crate) break_if: Option<Handle<Expression>>,
    /// The number of loops around it.
    pub(crate) depth: usize,
    /// The variables that may be stored to inside, with the guessed trend of their values.
    pub(crate) modified: Vec<(usize, Trend)>,
    /// The body never reaches its end: there is no second iteration.
    pub(crate) once: bool,
    /// The body contains a `return`.
    pub(crate) returns: bool,
    /// The position in the body of the only way out: one `if … { break; }` that every iteration meets first.
    pub(crate) guard: Option<usize>,
    /// Expressions of the body that `continuing` uses although a `continue` may skip them.
    pub(crate) skipped: Vec<Handle<Expression>>,
    /// The number of loops inside, whose ids follow this one's.
    pub(crate) loops: usize,
    /// Whether to walk the iterations one by one, if they are few: see `walk::unroll`.
    pub(crate) unroll: bool,
}

/// A guess at the change of a variable from one iteration to the next. Soundness does not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trend {
    Up,
    Down,
    Other,
    /// Each iteration stores to the variable before it loads it.
    Fresh,
}

/// Whether control may leave steps other than at their end.
pub(crate) fn escapes(steps: &Steps) -> bool {
    leaves(steps, false, false)
}

/// As `escapes`, for steps inside a switch (a `break` stays inside) or a loop (a `continue` too).
pub(crate) fn leaves(steps: &Steps, in_switch: bool, in_loop: bool) -> bool {
    steps.iter().any(|step| match step {
        Step::Return => true,
        Step::Break => !in_switch && !in_loop,
        Step::Continue => !in_loop,
        Step::If { accept, reject, .. } => {
            leaves(accept, in_switch, in_loop) || leaves(reject, in_switch, in_loop)
        }
        Step::Switch { cases, .. } => cases.iter().any(|c| leaves(&c.body, true, in_loop)),
        Step::Loop(inner) => inner.returns,
        _ => false,
    })
}

/// Whether any step, at any depth, meets the predicate.
pub(crate) fn any(steps: &[Step], what: &mut impl FnMut(&Step) -> bool) -> bool {
    steps.iter().any(|step| {
        what(step)
            || match step {
                Step::If { accept, reject, .. } => any(accept, what) || any(reject, what),
                Step::Switch { cases, .. } => cases.iter().any(|c| any(&c.body, what)),
                Step::Loop(inner) => any(&inner.body, what) || any(&inner.continuing, what),
                _ => false,
            }
    })
}

/// Whether the body has a `continue` of its own loop.
pub(crate) fn continues(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Continue => true,
        Step::If { accept, reject, .. } => continues(accept) || continues(reject),
        Step::Switch { cases, .. } => cases.iter().any(|c| continues(&c.body)),
        _ => false,
    })
}

/// The number of `break`s of the loop whose body this is.
fn breaks(steps: &Steps) -> usize {
    steps
        .iter()
        .map(|step| match step {
            Step::Break => 1,
            Step::If { accept, reject, .. } => breaks(accept) + breaks(reject),
            _ => 0,
        })
        .sum()
}

/// The position of the only `if` that leaves a loop, if every iteration reaches it.
pub(crate) fn sole_guard(body: &Steps) -> Option<usize> {
    if breaks(body) != 1 {
        return None;
    }
    let at = body.iter().position(|step| match step {
        Step::If { accept, reject, .. } => breaks(accept) + breaks(reject) == 1,
        _ => false,
    })?;
    let Step::If { accept, reject, .. } = &body[at] else { return None };
    let plain =
        matches!((accept.as_slice(), reject.as_slice()), ([Step::Break], []) | ([], [Step::Break]));
    (plain && !continues(&body[..at])).then_some(at)
}

/// The expressions that steps emit.
pub(crate) fn emissions(steps: &Steps, found: &mut Vec<Handle<Expression>>) {
    for step in steps {
        match step {
            Step::Emit(range) => found.extend(range.clone()),
            Step::Atomic { result: Some(result), .. } | Step::Unpredictable(result) => {
                found.push(*result);
            }
            // Expressions of nested blocks are not visible outside of them.
            _ => {}
        }
    }
}
