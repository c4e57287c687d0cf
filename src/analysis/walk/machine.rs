//! The abstract machine: the results of one walk, and the values of expressions.
//!
//! Every expression is evaluated where it is emitted, on the path that emits it. Invariant: the value recorded
//! for an expression is true of every execution of that path, and its integers have symbols from then on. (A
//! symbol that was made later, on a branch, would carry that branch's bounds out of it.) `statements` moves
//! along the paths.

use std::cell::RefCell;
use std::rc::Rc;

use naga::{Expression, Handle, RelationalFunction, ScalarKind, Span, TypeInner};

use super::entry;
use super::fuel::Fuel;
use super::hints::Hints;
use super::scans::Scans;
use super::typed::{
    MAX_LEAVES, MAX_TABLE, complete, compose, constant, leaves, literal_value, unknown_scalar, zero,
};
use crate::analysis::arguments::Arguments;
use crate::analysis::domain::{
    Arithmetic, Condition, Guards, IntType, Knowledge, Linear, Part, State, Symbol, Value,
    arithmetic, part,
};
use crate::analysis::footprints::access::Kind;
use crate::analysis::footprints::recorder::{self, Element, Recorder};
use crate::analysis::text::pointers::{Root, global_root};
use crate::analysis::text::program::{Program, Variable};
use crate::analysis::text::steps::Loop;
use crate::grid::GroupBox;
use crate::kernel::Kernel;

/// The state of one walk that all of its paths share.
pub(crate) struct Machine<'a> {
    kernel: &'a Kernel,
    program: &'a Program,
    pub(crate) arithmetic: Arithmetic,
    /// By expression index; `None` before it is evaluated.
    values: Vec<Option<Value>>,
    /// By binding: uniforms that are small enough to track.
    uniforms: Vec<Value>,
    /// By binding: the value of `arrayLength`.
    lengths: Vec<Value>,
    scans: Scans<'a>,
    pub(crate) recorder: Recorder<'a>,
    /// The workgroup id.
    pub(crate) workgroup: Vec<Linear>,
    /// The results of earlier walks with the same arguments.
    pub(crate) hints: &'a RefCell<Hints>,
    /// By loop: whether it was shown to end, and the largest number of iterations.
    pub(crate) finite: Vec<bool>,
    pub(crate) trips: Vec<Option<f64>>,
    pub(crate) fuel: Fuel,
}

/// A state of the machine to go back to.
pub(crate) struct Mark {
    pub(crate) arithmetic: arithmetic::Mark,
    recorder: recorder::Mark,
}

/// Walks the body of a loop once, from a state at its head: the state that returns to the head, and the state that
/// leaves the loop.
pub(crate) type Iteration =
    fn(&mut Machine<'_>, &Loop, State, Option<EveryTurn>) -> (Option<State>, Option<State>);

/// The context of an iteration that stands for all.
pub(crate) struct EveryTurn {
    /// The guards of the path to the loop.
    pub(crate) fork: Option<Guards>,
    /// The symbol of the iteration.
    pub(crate) turn: Option<Symbol>,
}

impl<'a> Machine<'a> {
    /// A machine before the first statement. Without arguments, every value that a launch chooses is unknown,
    /// and `groups` is ignored.
    pub(crate) fn new(
        kernel: &'a Kernel,
        program: &'a Program,
        arguments: Option<&'a Arguments<'a>>,
        groups: GroupBox,
        hints: &'a RefCell<Hints>,
    ) -> (Machine<'a>, State) {
        let mut known = Knowledge::default();
        let mut arithmetic = Arithmetic::default();
        let (uniforms, lengths) = entry::bindings(kernel, arguments, &mut arithmetic, &mut known);
        let (workgroup, entry) =
            entry::builtins(kernel, arguments, groups, &mut arithmetic, &mut known);
        let mut values = vec![None; program.pointer.len()];
        for (handle, expression) in kernel.entry_point().function.expressions.iter() {
            if let Expression::FunctionArgument(i) = expression {
                values[handle.index()] = entry.get(*i as usize).cloned();
            }
        }
        let mut machine = Machine {
            kernel,
            program,
            arithmetic,
            values,
            uniforms,
            lengths,
            scans: Scans::new(kernel, arguments),
            recorder: Recorder::new(kernel, &program.exchanged, arguments),
            workgroup,
            hints,
            finite: vec![false; program.loops],
            trips: vec![None; program.loops],
            fuel: Fuel::full(),
        };
        let mut state = State { known, variables: Vec::new(), guards: Some(Rc::new(Vec::new())) };
        for &variable in &program.variables {
            let value = machine.initial(variable, &mut state);
            state.variables.push(value);
        }
        (machine, state)
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { arithmetic: self.arithmetic.mark(), recorder: self.recorder.mark() }
    }

    /// Forgets symbols and accesses since `mark`.
    pub(crate) fn back_to(&mut self, mark: &Mark) {
        self.arithmetic.back_to(mark.arithmetic);
        self.recorder.back_to(&mark.recorder);
    }

    /// Forgets the values of expressions that an iteration may have skipped.
    pub(crate) fn forget_values(&mut self, expressions: &[Handle<Expression>]) {
        for handle in expressions {
            self.values[handle.index()] = None;
        }
    }

    fn initial(&mut self, variable: Variable, state: &mut State) -> Value {
        if leaves(self.kernel.module(), variable.ty) > MAX_LEAVES {
            return Value::Unknown;
        }
        let value = match variable.init {
            None => zero(self.kernel.module(), variable.ty),
            Some(init) if variable.private => constant(self.kernel.module(), init),
            Some(init) => self.value(init),
        };
        complete(&mut self.arithmetic, self.kernel.module(), value, variable.ty, &mut state.known)
    }

    /// The value of an expression that has been evaluated or needs no evaluation.
    pub(crate) fn value(&self, handle: Handle<Expression>) -> Value {
        if let Some(value) = &self.values[handle.index()] {
            return value.clone();
        }
        match self.kernel.entry_point().function.expressions[handle] {
            Expression::Literal(literal) => literal_value(literal),
            Expression::Constant(named) => {
                let module = self.kernel.module();
                constant(module, module.constants[named].init)
            }
            Expression::ZeroValue(ty) => zero(self.kernel.module(), ty),
            // Initial values of variables are never emitted.
            Expression::Compose { ty, ref components } if components.len() <= MAX_LEAVES => {
                let parts = components.iter().map(|c| self.value(*c)).collect();
                compose(self.kernel.module(), ty, parts)
            }
            Expression::Splat { size, value } => {
                Value::Many(Rc::new(vec![self.value(value); size as usize]))
            }
            _ => Value::Unknown,
        }
    }

    /// Evaluates an expression on a path and keeps the value.
    pub(crate) fn emit(&mut self, handle: Handle<Expression>, state: &mut State) {
        if self.program.pointer[handle.index()] {
            return;
        }
        self.fuel.spend(1);
        let mut value = self.evaluate(handle, state);
        if self.program.integral[handle.index()] {
            value = self.complete_expression(handle, value, state);
        }
        self.values[handle.index()] = Some(value);
    }

    /// Makes an expression any value of its type.
    pub(crate) fn forget(&mut self, handle: Handle<Expression>, state: &mut State) {
        let value = self.complete_expression(handle, Value::Unknown, state);
        self.values[handle.index()] = Some(value);
    }

    fn complete_expression(
        &mut self,
        handle: Handle<Expression>,
        value: Value,
        state: &mut State,
    ) -> Value {
        let info = self.kernel.info().get_entry_point(0);
        match (&info[handle].ty, value) {
            (naga::proc::TypeResolution::Handle(ty), value) => {
                complete(&mut self.arithmetic, self.kernel.module(), value, *ty, &mut state.known)
            }
            (naga::proc::TypeResolution::Value(TypeInner::Scalar(s)), Value::Unknown) => {
                unknown_scalar(&mut self.arithmetic, s.kind, &mut state.known)
            }
            (naga::proc::TypeResolution::Value(TypeInner::Vector { size, scalar }), value) => {
                let parts = (0..*size as usize).map(|i| match value.component(i) {
                    Value::Unknown => {
                        unknown_scalar(&mut self.arithmetic, scalar.kind, &mut state.known)
                    }
                    known => known,
                });
                Value::Many(Rc::new(parts.collect()))
            }
            (_, value) => value,
        }
    }

    fn evaluate(&mut self, handle: Handle<Expression>, state: &mut State) -> Value {
        let function = &self.kernel.entry_point().function;
        match &function.expressions[handle] {
            Expression::Compose { ty, components } if components.len() <= MAX_TABLE => {
                let parts = components.iter().map(|c| self.value(*c)).collect();
                compose(self.kernel.module(), *ty, parts)
            }
            Expression::Splat { size, value } => {
                Value::Many(Rc::new(vec![self.value(*value); *size as usize]))
            }
            Expression::Swizzle { size, vector, pattern } => {
                let vector = self.value(*vector);
                let parts = pattern[..*size as usize].iter().map(|c| vector.component(*c as usize));
                Value::Many(Rc::new(parts.collect()))
            }
            Expression::AccessIndex { base, index } => self.value(*base).component(*index as usize),
            Expression::Access { base, index } => {
                let (ty, index) = self.integer(*index, state);
                let base = self.value(*base);
                part(&mut self.arithmetic, base, &[Part::Dynamic(ty, index)], &mut state.known)
            }
            Expression::Load { pointer } => self.load(*pointer, state),
            Expression::Unary { op, expr } => {
                let value = self.value(*expr);
                self.arithmetic.unary(*op, value)
            }
            Expression::Binary { op, left, right } => {
                let (left, right) = (self.value(*left), self.value(*right));
                self.arithmetic.binary(*op, &left, &right, &mut state.known)
            }
            Expression::Select { condition, accept, reject } => {
                let condition = self.value(*condition);
                let (accept, reject) = (self.value(*accept), self.value(*reject));
                self.arithmetic.select(&condition, &accept, &reject, &mut state.known)
            }
            Expression::Relational { fun, argument } => match (fun, self.value(*argument)) {
                (RelationalFunction::All, Value::Many(parts)) => {
                    Value::Bool(parts.iter().fold(Rc::new(Condition::Known(true)), |all, part| {
                        Condition::and(&all, &part.condition())
                    }))
                }
                (RelationalFunction::Any, Value::Many(parts)) => {
                    Value::Bool(parts.iter().fold(Rc::new(Condition::Known(false)), |any, part| {
                        Condition::or(&any, &part.condition())
                    }))
                }
                (RelationalFunction::All | RelationalFunction::Any, value) => value,
                _ => Value::Unknown,
            },
            Expression::Math { fun, arg, arg1, arg2, arg3: _ } => {
                let rest = [*arg1, *arg2].map(|a| a.map(|a| self.value(a)));
                let first = self.value(*arg);
                self.arithmetic.math(*fun, first, rest, &mut state.known)
            }
            Expression::As { expr, kind, .. } => {
                let value = self.value(*expr);
                self.arithmetic.convert(value, *kind, &mut state.known)
            }
            Expression::ArrayLength(array) => {
                match global_root(function, *array).and_then(|g| {
                    self.kernel.signature().bindings.iter().position(|b| b.global == g)
                }) {
                    Some(id) => self.lengths[id].clone(),
                    None => Value::Unknown,
                }
            }
            Expression::Literal(_) | Expression::Constant(_) | Expression::ZeroValue(_) => {
                self.value(handle)
            }
            _ => Value::Unknown,
        }
    }

    fn load(&mut self, pointer: Handle<Expression>, state: &mut State) -> Value {
        let (root, parts) = self.path(pointer, state);
        match root {
            Some(Root::Variable(variable)) => {
                let whole = state.variables[variable].clone();
                part(&mut self.arithmetic, whole, &parts, &mut state.known)
            }
            Some(Root::Uniform(id)) => {
                let whole = self.uniforms[id].clone();
                part(&mut self.arithmetic, whole, &parts, &mut state.known)
            }
            Some(Root::Storage(id)) => {
                let span = self.kernel.entry_point().function.expressions.get_span(pointer);
                let Some(element) = self.access(id, &parts, state, span, Kind::Read) else {
                    return Value::Unknown;
                };
                let steers = self.program.steers[pointer.index()];
                let path = (&mut self.arithmetic, &mut state.known);
                self.scans.value(id, element, steers, &mut self.recorder, path)
            }
            _ => Value::Unknown,
        }
    }

    /// Records an access to a storage binding, with its element if it has one.
    pub(crate) fn access<'p>(
        &mut self,
        id: usize,
        parts: &'p [Part],
        state: &mut State,
        span: Span,
        kind: Kind,
    ) -> Option<Element<'p>> {
        self.recorder.access(id, parts, (state, &self.arithmetic.symbols), span, kind)
    }

    /// An integer expression as a form; an unknown value becomes any integer.
    pub(crate) fn integer(
        &mut self,
        handle: Handle<Expression>,
        state: &mut State,
    ) -> (IntType, Linear) {
        match self.value(handle) {
            Value::Int(ty, form) => (ty, form),
            // The values of both types at once: the form of any 32 bits.
            _ => {
                let all = IntType::U32.range();
                let any = state.known.opaque(&mut self.arithmetic.symbols, IntType::U32, all);
                let info = self.kernel.info().get_entry_point(0);
                let types = &self.kernel.module().types;
                let signed =
                    info[handle].ty.inner_with(types).scalar_kind() == Some(ScalarKind::Sint);
                (if signed { IntType::I32 } else { IntType::U32 }, Linear::symbol(any))
            }
        }
    }

    /// The root of a pointer and the steps from there.
    pub(crate) fn path(
        &mut self,
        pointer: Handle<Expression>,
        state: &mut State,
    ) -> (Option<Root>, Vec<Part>) {
        let function = &self.kernel.entry_point().function;
        let mut parts = Vec::new();
        let mut at = pointer;
        loop {
            match function.expressions[at] {
                Expression::AccessIndex { base, index } => {
                    parts.push(Part::At(index));
                    at = base;
                }
                Expression::Access { base, index } => {
                    let (ty, index) = self.integer(index, state);
                    parts.push(Part::Dynamic(ty, index));
                    at = base;
                }
                _ => break,
            }
        }
        parts.reverse();
        (self.program.root(function, at), parts)
    }
}
