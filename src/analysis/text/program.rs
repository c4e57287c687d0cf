//! The entry point's statements, with properties that every walk over them needs.
//!
//! A program is made once per kernel; it owns only handles into the module. Loops are numbered in pre-order, a
//! loop's `body` before its `continuing`.

use naga::{AddressSpace, BinaryOperator, Block, Expression, Function, Handle, Span, Statement};

use super::members::Members;
use super::pointers::{Root, holds_integer, pointee, root};
use super::scaling::Scaling;
use super::steering::steering;
use super::steps::{
    Case, Loop, Step, Steps, Trend, any, continues, emissions, escapes, leaves, sole_guard,
};
use super::uses::{Use, Uses};
use crate::kernel::Kernel;

#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) steps: Steps,
    pub(crate) loops: usize,
    /// Function variables, then private ones: type and initial value.
    pub(crate) variables: Vec<Variable>,
    /// By expression index: whether it is a pointer, and whether its type holds an integer.
    pub(crate) pointer: Vec<bool>,
    pub(crate) integral: Vec<bool>,
    /// By expression index, of pointers: whether a value loaded through it may steer (see `steering`).
    pub(crate) steers: Vec<bool>,
    /// By binding: the members that are both stored to and read, if members are used differently.
    pub(crate) exchanged: Vec<Members>,
    /// By index of the module's global variables.
    roots: Vec<Root>,
}

/// A variable that belongs to one invocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Variable {
    pub(crate) ty: Handle<naga::Type>,
    /// A handle of the function's expressions (function variables) or the module's (private ones).
    pub(crate) init: Option<Handle<Expression>>,
    pub(crate) private: bool,
}

impl Program {
    pub(crate) fn new(kernel: &Kernel, uses: &[Uses]) -> Program {
        let module = kernel.module();
        let function = &kernel.entry_point().function;
        let info = kernel.info().get_entry_point(0);
        let mut variables: Vec<Variable> = function
            .local_variables
            .iter()
            .map(|(_, v)| Variable { ty: v.ty, init: v.init, private: false })
            .collect();
        let mut roots = Vec::new();
        for (global, v) in module.global_variables.iter() {
            let binding = kernel.signature().bindings.iter().position(|b| b.global == global);
            roots.push(match (v.space, binding) {
                (AddressSpace::Private, _) => {
                    variables.push(Variable { ty: v.ty, init: v.init, private: true });
                    Root::Variable(variables.len() - 1)
                }
                (AddressSpace::Storage { .. }, Some(id)) => Root::Storage(id),
                (AddressSpace::Uniform | AddressSpace::Immediate, Some(id)) => Root::Uniform(id),
                _ => Root::Shared,
            });
        }
        let mut pointer = Vec::new();
        let mut integral = Vec::new();
        for (handle, _) in function.expressions.iter() {
            let inner = info[handle].ty.inner_with(&module.types);
            pointer.push(inner.pointer_space().is_some());
            integral.push(holds_integer(module, inner));
        }
        let variable = |handle| match pointee(function, &roots, handle) {
            Some(Root::Variable(variable)) => Some(variable),
            _ => None,
        };
        let (steers, steering) = steering(function, variables.len(), variable);
        let scaling = Scaling::new(kernel, &roots, &integral, &steering);
        let mut builder = Builder { function, roots: &roots, scaling, loops: 0, depth: 0 };
        let steps = builder.steps(&function.body);
        let loops = builder.loops;
        let exchanged = |uses: &Uses| {
            let both = |used: &Use| matches!(used, Use::ReadWrite | Use::Signal(_));
            let several = uses.iter().filter(|(_, used)| uses.len() > 1 && both(used));
            several.fold(Members::NONE, |all, (members, _)| all.with(*members))
        };
        let exchanged = uses.iter().map(exchanged).collect();
        Program { steps, loops, variables, pointer, integral, steers, exchanged, roots }
    }

    pub(crate) fn root(&self, function: &Function, base: Handle<Expression>) -> Option<Root> {
        root(function, &self.roots, base)
    }
}

struct Builder<'a> {
    function: &'a Function,
    roots: &'a [Root],
    scaling: Scaling<'a>,
    loops: usize,
    depth: usize,
}

impl Builder<'_> {
    fn steps(&mut self, block: &Block) -> Steps {
        let mut steps = Vec::with_capacity(block.len());
        self.append(block, &mut steps);
        steps
    }

    fn append(&mut self, block: &Block, steps: &mut Steps) {
        for (statement, &span) in block.span_iter() {
            let step = match statement {
                Statement::Emit(range) => Step::Emit(range.clone()),
                Statement::Block(inner) => {
                    self.append(inner, steps);
                    continue;
                }
                Statement::If { condition, accept, reject } => {
                    let (accept, reject) = (self.steps(accept), self.steps(reject));
                    let escapes = [escapes(&accept), escapes(&reject)];
                    Step::If { condition: *condition, accept, reject, escapes }
                }
                Statement::Switch { selector, cases } => {
                    let cases: Vec<_> = cases
                        .iter()
                        .map(|case| Case {
                            value: case.value,
                            body: self.steps(&case.body),
                            fall_through: case.fall_through,
                        })
                        .collect();
                    let escapes = cases.iter().any(|c| leaves(&c.body, true, false));
                    Step::Switch { selector: *selector, cases, escapes }
                }
                Statement::Loop { body, continuing, break_if } => {
                    Step::Loop(Box::new(self.a_loop(body, continuing, *break_if, span)))
                }
                Statement::Break => Step::Break,
                Statement::Continue => Step::Continue,
                Statement::Return { .. } | Statement::Kill => Step::Return,
                Statement::Store { pointer, value } => {
                    Step::Store { pointer: *pointer, value: *value, span }
                }
                Statement::Atomic { pointer, result, .. } => {
                    Step::Atomic { pointer: *pointer, result: *result, span }
                }
                Statement::WorkGroupUniformLoad { result, .. }
                | Statement::SubgroupBallot { result, .. }
                | Statement::SubgroupGather { result, .. }
                | Statement::SubgroupCollectiveOperation { result, .. }
                | Statement::Call { result: Some(result), .. } => Step::Unpredictable(*result),
                // Barriers do not change the values of one invocation; `kernel` rejects textures and
                // ray queries.
                _ => continue,
            };
            steps.push(step);
        }
    }

    fn a_loop(
        &mut self,
        body: &Block,
        continuing: &Block,
        break_if: Option<Handle<Expression>>,
        span: Span,
    ) -> Loop {
        let id = self.loops;
        self.loops += 1;
        let depth = self.depth;
        self.depth += 1;
        let body = self.steps(body);
        let continuing = self.steps(continuing);
        self.depth -= 1;

        let mut modified = Vec::new();
        self.modified(&body, &mut modified);
        self.modified(&continuing, &mut modified);
        for (variable, trend) in &mut modified {
            if self.stored_first(&body, *variable) {
                *trend = Trend::Fresh;
            }
        }
        let returns = any(&body, &mut |s| matches!(s, Step::Return))
            || any(&continuing, &mut |s| matches!(s, Step::Return));
        let continues = continues(&body);
        let once = !continues && matches!(body.last(), Some(Step::Break | Step::Return));
        let mut skipped = Vec::new();
        if continues {
            let mut emitted = Vec::new();
            emissions(&body, &mut emitted);
            skipped = emitted;
        }
        let guard = if returns || break_if.is_some() { None } else { sole_guard(&body) };
        let loops = self.loops - id - 1;
        let variables: Vec<usize> = modified.iter().map(|m| m.0).collect();
        let unroll = self.scaling.scales(&[&body, &continuing], &variables);
        Loop {
            id,
            span,
            body,
            continuing,
            break_if,
            depth,
            modified,
            once,
            returns,
            guard,
            skipped,
            loops,
            unroll,
        }
    }

    /// The variables that steps store to.
    fn modified(&self, steps: &Steps, found: &mut Vec<(usize, Trend)>) {
        for step in steps {
            match step {
                Step::Store { pointer, value, .. } => {
                    let mut base = *pointer;
                    while let Expression::Access { base: b, .. }
                    | Expression::AccessIndex { base: b, .. } =
                        self.function.expressions[base]
                    {
                        base = b;
                    }
                    if let Some(Root::Variable(variable)) = root(self.function, self.roots, base) {
                        let trend = self.trend(base == *pointer, base, *value);
                        match found.iter_mut().find(|f| f.0 == variable) {
                            Some(old) if old.1 != trend => old.1 = Trend::Other,
                            Some(_) => {}
                            None => found.push((variable, trend)),
                        }
                    }
                }
                Step::If { accept, reject, .. } => {
                    self.modified(accept, found);
                    self.modified(reject, found);
                }
                Step::Switch { cases, .. } => {
                    for case in cases {
                        self.modified(&case.body, found);
                    }
                }
                Step::Loop(inner) => {
                    self.modified(&inner.body, found);
                    self.modified(&inner.continuing, found);
                }
                _ => {}
            }
        }
    }

    /// Whether the first of these steps that mentions a variable stores to all of it. This is a guess if there
    /// are jumps.
    fn stored_first(&self, steps: &Steps, variable: usize) -> bool {
        for step in steps {
            match step {
                Step::Store { pointer, .. } if self.variable(*pointer) == Some(variable) => {
                    return matches!(
                        self.function.expressions[*pointer],
                        Expression::LocalVariable(_) | Expression::GlobalVariable(_)
                    );
                }
                // Variables that both branches of an `if` store to first, as for `&&`.
                Step::If { accept, reject, .. }
                    if self.stored_first(accept, variable)
                        && self.stored_first(reject, variable) =>
                {
                    return true;
                }
                step if self.mentions(step, variable) => return false,
                _ => {}
            }
        }
        false
    }

    fn mentions(&self, step: &Step, variable: usize) -> bool {
        any(std::slice::from_ref(step), &mut |step| match step {
            Step::Emit(range) => {
                range.clone().any(|handle| match self.function.expressions[handle] {
                    Expression::Load { pointer } => self.variable(pointer) == Some(variable),
                    _ => false,
                })
            }
            Step::Store { pointer, .. } => self.variable(*pointer) == Some(variable),
            _ => false,
        })
    }

    /// The variable that a pointer points into.
    fn variable(&self, pointer: Handle<Expression>) -> Option<usize> {
        match pointee(self.function, self.roots, pointer) {
            Some(Root::Variable(variable)) => Some(variable),
            _ => None,
        }
    }

    fn trend(&self, whole: bool, variable: Handle<Expression>, value: Handle<Expression>) -> Trend {
        let expressions = &self.function.expressions;
        let Expression::Binary { op, left, right } = expressions[value] else {
            return Trend::Other;
        };
        let own = |e: Handle<Expression>| match expressions[e] {
            Expression::Load { pointer } => expressions[pointer] == expressions[variable],
            _ => false,
        };
        match op {
            _ if !whole => Trend::Other,
            BinaryOperator::Add | BinaryOperator::Multiply if own(left) || own(right) => Trend::Up,
            BinaryOperator::ShiftLeft if own(left) => Trend::Up,
            BinaryOperator::Subtract | BinaryOperator::Divide | BinaryOperator::ShiftRight
                if own(left) =>
            {
                Trend::Down
            }
            _ => Trend::Other,
        }
    }
}
