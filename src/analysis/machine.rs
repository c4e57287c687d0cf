//! The abstract machine: what stays the same along all paths, and the values of expressions.
//!
//! Every expression is evaluated where it is emitted, on the path that emits it. What always
//! holds: the value recorded for an expression is true of every execution of that path, and
//! integers inside it have symbols from then on (a symbol that were made later, on a branch,
//! would carry that branch's bounds out of it). `walk` moves along the paths, `integer` computes,
//! `memory` loads and stores.

use std::cell::RefCell;
use std::rc::Rc;

use naga::{
    BuiltIn, Expression, Handle, Literal, RelationalFunction, ScalarKind, Span, Type, TypeInner,
};

use super::footprint::Recorder;
use super::interval::{IntType, Interval, Operator};
use super::linear::{Linear, Symbol};
use super::loops::Hints;
use super::memory::Scan;
use super::program::{Program, Root, Variable};
use super::state::{Guards, Knowledge, Symbols};
use super::value::{Condition, Value};
use super::{Argument, Arguments};
use crate::grid::GroupBox;
use crate::kernel::Kernel;

/// Variables, unknown loads and zeros with more scalars than this are not tracked.
const MAX_LEAVES: usize = 64;
/// Uniforms and constant tables with more scalars than this are not tracked.
const MAX_TABLE: usize = 4096;
/// Expressions and statements that one interpretation examines in full: enough for a dozen nested
/// loops. After that the body of each loop is walked once, without assumptions about the variables
/// that it changes.
pub(super) const FUEL: u64 = 1 << 18;
/// Expressions and statements that it examines after that: several times the largest kernel. Then
/// the analysis gives up.
pub(super) const RESERVE: u64 = 1 << 21;

/// What one path knows.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) known: Knowledge,
    /// Function and private variables, by number.
    pub(super) variables: Vec<Value>,
    /// When present: an invocation takes this path exactly if it meets all of these. Nothing
    /// where that is not so simple.
    pub(super) guards: Option<Guards>,
}

/// An operation that has a symbol already.
#[derive(Debug, Clone)]
struct Remembered {
    operator: Operator,
    ty: IntType,
    a: Linear,
    b: Linear,
    symbol: Symbol,
}

/// One step from a composite to its part.
#[derive(Debug, Clone)]
pub(super) enum Part {
    At(u32),
    Dynamic(IntType, Linear),
}

pub(super) struct Machine<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) program: &'a Program,
    /// Nothing: whatever the arguments.
    pub(super) arguments: Option<&'a Arguments<'a>>,
    pub(super) symbols: Symbols,
    /// By expression index; nothing before it is evaluated.
    pub(super) values: Vec<Option<Value>>,
    /// By binding: uniforms, as far as they are small enough.
    pub(super) uniforms: Vec<Value>,
    /// By binding: what `arrayLength` gives.
    lengths: Vec<Value>,
    remembered: Vec<Remembered>,
    /// What loads have seen of buffers' contents.
    pub(super) scanned: Vec<Scan>,
    pub(super) recorder: Recorder,
    /// The workgroup id, once it is bound.
    pub(super) workgroup: Vec<Linear>,
    /// What earlier walks for the same arguments came to.
    pub(super) hints: &'a RefCell<Hints>,
    /// By loop: whether it was seen to end, and the largest number of iterations.
    pub(super) finite: Vec<bool>,
    pub(super) trips: Vec<Option<f64>>,
    /// Expressions and statements that may still be examined. The last [`RESERVE`] are for loops
    /// that are walked without assumptions.
    pub(super) fuel: u64,
    /// The first loop that was walked without assumptions because of the budget.
    pub(super) hurried: Option<Span>,
}

impl<'a> Machine<'a> {
    /// A machine before the first statement. Without arguments everything that a launch chooses
    /// is unknown, and `groups` is not looked at.
    pub(super) fn new(
        kernel: &'a Kernel,
        program: &'a Program,
        arguments: Option<&'a Arguments<'a>>,
        groups: GroupBox,
        hints: &'a RefCell<Hints>,
    ) -> (Machine<'a>, State) {
        let mut machine = Machine {
            kernel,
            program,
            arguments,
            symbols: Symbols::default(),
            values: vec![None; program.pointer.len()],
            uniforms: Vec::new(),
            lengths: Vec::new(),
            remembered: Vec::new(),
            scanned: Vec::new(),
            recorder: Recorder::new(kernel, arguments),
            workgroup: Vec::new(),
            hints,
            finite: vec![false; program.loops],
            trips: vec![None; program.loops],
            fuel: FUEL + RESERVE,
            hurried: None,
        };
        let mut state = State {
            known: Knowledge::default(),
            variables: Vec::new(),
            guards: Some(Rc::new(Vec::new())),
        };
        machine.bind(&mut state);
        machine.arguments_of_entry_point(groups, &mut state);
        for &variable in &program.variables {
            let value = machine.initial(variable, &mut state);
            state.variables.push(value);
        }
        (machine, state)
    }

    /// Uniforms and array lengths.
    fn bind(&mut self, state: &mut State) {
        let u32s = IntType::U32.range();
        for (id, binding) in self.kernel.signature().bindings.iter().enumerate() {
            let argument = self.arguments.map(|a| &a.bindings[id]);
            let ty = self.kernel.module().global_variables[binding.global].ty;
            let uniform = match argument {
                _ if binding.space.is_storage() => Value::Unknown,
                Some(Argument::Value(bytes)) if self.leaves(ty) <= MAX_TABLE => {
                    self.decode(ty, bytes)
                }
                _ => self.unknown(ty, state),
            };
            self.uniforms.push(uniform);
            let length = match argument {
                Some(Argument::Storage { elements, .. }) => Linear::constant(*elements as i64),
                _ => Linear::symbol(state.known.opaque(&mut self.symbols, IntType::U32, u32s)),
            };
            self.lengths.push(Value::Int(IntType::U32, length.wrapped()));
        }
    }

    /// Whether loops are now walked without assumptions; notes the first such loop.
    pub(super) fn hurries(&mut self, span: Span) -> bool {
        let hurries = self.fuel <= RESERVE;
        if hurries && self.hurried.is_none() {
            self.hurried = Some(span);
        }
        hurries
    }

    /// The builtins that the entry point takes.
    fn arguments_of_entry_point(&mut self, groups: GroupBox, state: &mut State) {
        let size = self.kernel.signature().workgroup_size;
        let mut workgroup = Vec::new();
        let mut local = Vec::new();
        let mut count = Vec::new();
        for (axis, size) in size.into_iter().enumerate() {
            let last = i128::from(size.max(1)) - 1;
            local.push(self.dimension(state, Interval::new(0, last)));
            let first = i128::from(groups.first[axis]);
            match self.arguments {
                Some(arguments) => {
                    let last = first + i128::from(groups.count[axis].max(1)) - 1;
                    workgroup.push(self.dimension(state, Interval::new(first, last)));
                    count.push(Linear::constant(arguments.grid[axis].into()));
                }
                None => {
                    let all = IntType::U32.range();
                    workgroup.push(self.dimension(state, all));
                    let any = state.known.opaque(&mut self.symbols, IntType::U32, all);
                    count.push(Linear::symbol(any));
                }
            }
        }
        self.workgroup = workgroup.clone();
        let global: Vec<_> =
            (0..3).map(|i| local[i].plus(&workgroup[i], i64::from(size[i])).wrapped()).collect();
        let index = local[0]
            .plus(&local[1], i64::from(size[0]))
            .plus(&local[2], i64::from(size[0]) * i64::from(size[1]))
            .wrapped();
        let vector = |forms: &[Linear]| {
            let ints = forms.iter().map(|f| Value::Int(IntType::U32, f.clone().wrapped()));
            Value::Many(Rc::new(ints.collect()))
        };
        let function = &self.kernel.entry_point().function;
        let module = self.kernel.module();
        let mut entry = Vec::new();
        for argument in &function.arguments {
            let mut builtin =
                |binding: &Option<naga::Binding>, ty, machine: &mut Self| match binding {
                    Some(naga::Binding::BuiltIn(BuiltIn::GlobalInvocationId)) => vector(&global),
                    Some(naga::Binding::BuiltIn(BuiltIn::LocalInvocationId)) => vector(&local),
                    Some(naga::Binding::BuiltIn(BuiltIn::WorkGroupId)) => vector(&workgroup),
                    Some(naga::Binding::BuiltIn(BuiltIn::NumWorkGroups)) => vector(&count),
                    Some(naga::Binding::BuiltIn(BuiltIn::LocalInvocationIndex)) => {
                        Value::Int(IntType::U32, index.clone())
                    }
                    Some(naga::Binding::BuiltIn(BuiltIn::WorkGroupSize)) => {
                        vector(&size.map(|n| Linear::constant(n.into())))
                    }
                    _ => machine.unknown(ty, state),
                };
            entry.push(match &module.types[argument.ty].inner {
                TypeInner::Struct { members, .. } => {
                    let parts = members.iter().map(|m| builtin(&m.binding, m.ty, self)).collect();
                    Value::Many(Rc::new(parts))
                }
                _ => builtin(&argument.binding, argument.ty, self),
            });
        }
        for (handle, expression) in function.expressions.iter() {
            if let Expression::FunctionArgument(i) = expression {
                self.values[handle.index()] = entry.get(*i as usize).cloned();
            }
        }
    }

    fn dimension(&mut self, state: &mut State, values: Interval) -> Linear {
        match values.value() {
            Some(only) => Linear::constant(only as i64),
            None => Linear::symbol(state.known.dimension(&mut self.symbols, values)),
        }
    }

    fn initial(&mut self, variable: Variable, state: &mut State) -> Value {
        if self.leaves(variable.ty) > MAX_LEAVES {
            return Value::Unknown;
        }
        let value = match variable.init {
            None => self.zero(variable.ty),
            Some(init) if variable.private => self.constant(init),
            Some(init) => self.value(init),
        };
        self.complete(value, variable.ty, state)
    }

    pub(super) fn inner(&self, ty: Handle<Type>) -> &'a TypeInner {
        &self.kernel.module().types[ty].inner
    }

    /// Scalars in a type.
    fn leaves(&self, ty: Handle<Type>) -> usize {
        match self.inner(ty) {
            TypeInner::Vector { size, .. } => *size as usize,
            TypeInner::Matrix { columns, rows, .. } => *columns as usize * *rows as usize,
            TypeInner::Array { base, size: naga::ArraySize::Constant(n), .. } => {
                self.leaves(*base).saturating_mul(n.get() as usize)
            }
            TypeInner::Array { .. } => usize::MAX,
            TypeInner::Struct { members, .. } => {
                members.iter().map(|m| self.leaves(m.ty)).fold(0, usize::saturating_add)
            }
            _ => 1,
        }
    }

    /// The value of a type that `scalar` gives, from the kind and the byte offset of each.
    fn build(
        &self,
        ty: Handle<Type>,
        offset: usize,
        scalar: &mut impl FnMut(ScalarKind, usize) -> Value,
    ) -> Value {
        match self.inner(ty) {
            TypeInner::Scalar(s) | TypeInner::Atomic(s) => scalar(s.kind, offset),
            TypeInner::Vector { size, scalar: s } => {
                let width = usize::from(s.width);
                let parts = (0..*size as usize).map(|i| scalar(s.kind, offset + i * width));
                Value::Many(Rc::new(parts.collect()))
            }
            TypeInner::Array { base, size: naga::ArraySize::Constant(n), stride } => {
                let parts = (0..n.get() as usize)
                    .map(|i| self.build(*base, offset + i * *stride as usize, scalar));
                Value::Many(Rc::new(parts.collect()))
            }
            TypeInner::Struct { members, .. } => {
                let parts =
                    members.iter().map(|m| self.build(m.ty, offset + m.offset as usize, scalar));
                Value::Many(Rc::new(parts.collect()))
            }
            _ => Value::Unknown,
        }
    }

    fn zero(&self, ty: Handle<Type>) -> Value {
        if self.leaves(ty) > MAX_TABLE {
            return Value::Unknown;
        }
        self.build(ty, 0, &mut |kind, _| match kind {
            ScalarKind::Bool => Value::bool(false),
            kind => int_type(kind).map_or(Value::Unknown, |t| Value::Int(t, Linear::constant(0))),
        })
    }

    fn decode(&self, ty: Handle<Type>, bytes: &[u8]) -> Value {
        self.build(ty, 0, &mut |kind, offset| {
            let word = bytes.get(offset..offset + 4).and_then(|b| b.try_into().ok());
            match (int_type(kind), word.map(i32::from_le_bytes)) {
                (Some(ty), Some(word)) => Value::Int(ty, Linear::constant(word.into())),
                _ => Value::Unknown,
            }
        })
    }

    /// Any value of a type: a new symbol for each integer.
    pub(super) fn unknown(&mut self, ty: Handle<Type>, state: &mut State) -> Value {
        self.complete(Value::Unknown, ty, state)
    }

    /// The same value, with a new symbol for each integer of which nothing is known.
    fn complete(&mut self, value: Value, ty: Handle<Type>, state: &mut State) -> Value {
        let inner = self.inner(ty);
        if !super::program::holds_integer(self.kernel.module(), inner) {
            return value;
        }
        match (inner, value) {
            (TypeInner::Scalar(s) | TypeInner::Atomic(s), Value::Unknown) => {
                self.unknown_scalar(s.kind, state)
            }
            (_, Value::Unknown) if self.leaves(ty) > MAX_LEAVES => Value::Unknown,
            (TypeInner::Vector { size, scalar }, Value::Unknown) => {
                let parts = (0..*size as usize).map(|_| self.unknown_scalar(scalar.kind, state));
                Value::Many(Rc::new(parts.collect()))
            }
            (TypeInner::Array { base, size: naga::ArraySize::Constant(n), .. }, Value::Unknown) => {
                let parts = (0..n.get()).map(|_| self.unknown(*base, state)).collect();
                Value::Many(Rc::new(parts))
            }
            (TypeInner::Struct { members, .. }, Value::Unknown) => {
                let parts = members.iter().map(|m| self.unknown(m.ty, state)).collect();
                Value::Many(Rc::new(parts))
            }
            (_, Value::Many(parts)) if has_unknown(&parts) => {
                let each = |i: usize| match inner {
                    TypeInner::Array { base, .. } => Some(*base),
                    TypeInner::Struct { members, .. } => members.get(i).map(|m| m.ty),
                    _ => None,
                };
                let done = parts.iter().enumerate().map(|(i, part)| match (each(i), inner) {
                    (Some(ty), _) => self.complete(part.clone(), ty, state),
                    (None, TypeInner::Vector { scalar, .. }) if *part == Value::Unknown => {
                        self.unknown_scalar(scalar.kind, state)
                    }
                    (None, _) => part.clone(),
                });
                Value::Many(Rc::new(done.collect()))
            }
            (_, value) => value,
        }
    }

    fn unknown_scalar(&mut self, kind: ScalarKind, state: &mut State) -> Value {
        match int_type(kind) {
            Some(ty) => self.any_of(ty, ty.range(), state),
            None => Value::Unknown,
        }
    }

    /// Some integer of an interval.
    pub(super) fn any_of(&mut self, ty: IntType, within: Interval, state: &mut State) -> Value {
        let form = match within.value() {
            Some(only) => Linear::constant(only as i64),
            None => Linear::symbol(state.known.opaque(&mut self.symbols, ty, within)),
        };
        Value::Int(ty, form.wrapped())
    }

    /// A constant expression of the module.
    fn constant(&self, handle: Handle<Expression>) -> Value {
        let module = self.kernel.module();
        match &module.global_expressions[handle] {
            Expression::Literal(literal) => literal_value(*literal),
            Expression::Constant(constant) => self.constant(module.constants[*constant].init),
            Expression::ZeroValue(ty) => self.zero(*ty),
            // Constants may use another one many times, at each of many levels.
            Expression::Compose { ty, components } if self.leaves(*ty) <= MAX_TABLE => {
                let parts: Vec<_> = components.iter().map(|c| self.constant(*c)).collect();
                self.compose(*ty, parts)
            }
            Expression::Splat { size, value } => {
                Value::Many(Rc::new(vec![self.constant(*value); *size as usize]))
            }
            _ => Value::Unknown,
        }
    }

    fn compose(&self, ty: Handle<Type>, parts: Vec<Value>) -> Value {
        match self.inner(ty) {
            TypeInner::Vector { size, .. } => {
                let mut flat = Vec::new();
                for part in parts {
                    match part {
                        Value::Many(inner) => flat.extend(inner.iter().cloned()),
                        part => flat.push(part),
                    }
                }
                // A vector of which nothing is known does not say how long it is.
                let full = flat.len() == *size as usize;
                if full { Value::Many(Rc::new(flat)) } else { Value::Unknown }
            }
            TypeInner::Array { .. } | TypeInner::Struct { .. } => Value::Many(Rc::new(parts)),
            _ => Value::Unknown,
        }
    }

    /// The value of an expression that has been evaluated or needs no evaluation.
    pub(super) fn value(&self, handle: Handle<Expression>) -> Value {
        if let Some(value) = &self.values[handle.index()] {
            return value.clone();
        }
        match self.kernel.entry_point().function.expressions[handle] {
            Expression::Literal(literal) => literal_value(literal),
            Expression::Constant(constant) => {
                self.constant(self.kernel.module().constants[constant].init)
            }
            Expression::ZeroValue(ty) => self.zero(ty),
            // Initial values of variables are never emitted.
            Expression::Compose { ty, ref components } if components.len() <= MAX_LEAVES => {
                self.compose(ty, components.iter().map(|c| self.value(*c)).collect())
            }
            Expression::Splat { size, value } => {
                Value::Many(Rc::new(vec![self.value(value); size as usize]))
            }
            _ => Value::Unknown,
        }
    }

    /// Evaluates an expression on a path and keeps the value.
    pub(super) fn emit(&mut self, handle: Handle<Expression>, state: &mut State) {
        if self.program.pointer[handle.index()] {
            return;
        }
        self.fuel = self.fuel.saturating_sub(1);
        let mut value = self.evaluate(handle, state);
        if self.program.integral[handle.index()] {
            value = self.complete_expression(handle, value, state);
        }
        self.values[handle.index()] = Some(value);
    }

    /// Makes an expression any value of its type.
    pub(super) fn forget(&mut self, handle: Handle<Expression>, state: &mut State) {
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
            (naga::proc::TypeResolution::Handle(ty), value) => self.complete(value, *ty, state),
            (naga::proc::TypeResolution::Value(TypeInner::Scalar(s)), Value::Unknown) => {
                self.unknown_scalar(s.kind, state)
            }
            (naga::proc::TypeResolution::Value(TypeInner::Vector { size, scalar }), value) => {
                let parts = (0..*size as usize).map(|i| match value.component(i) {
                    Value::Unknown => self.unknown_scalar(scalar.kind, state),
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
                self.compose(*ty, parts)
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
                self.part(self.value(*base), &[Part::Dynamic(ty, index)], state)
            }
            Expression::Load { pointer } => self.load(*pointer, state),
            Expression::Unary { op, expr } => {
                let value = self.value(*expr);
                self.unary(*op, value)
            }
            Expression::Binary { op, left, right } => {
                let (left, right) = (self.value(*left), self.value(*right));
                self.binary(*op, &left, &right, state)
            }
            Expression::Select { condition, accept, reject } => {
                let condition = self.value(*condition);
                let (accept, reject) = (self.value(*accept), self.value(*reject));
                self.select(&condition, &accept, &reject, state)
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
                self.math(*fun, first, rest, state)
            }
            Expression::As { expr, kind, .. } => {
                let value = self.value(*expr);
                self.convert(value, *kind, state)
            }
            Expression::ArrayLength(array) => {
                match super::facts::global_root(function, *array).and_then(|g| {
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

    /// An integer expression as a form; what is not known becomes any integer.
    pub(super) fn integer(
        &mut self,
        handle: Handle<Expression>,
        state: &mut State,
    ) -> (IntType, Linear) {
        match self.value(handle) {
            Value::Int(ty, form) => (ty, form),
            // Both types' values at once: the form of any 32 bits.
            _ => {
                let all = IntType::U32.range();
                let any = state.known.opaque(&mut self.symbols, IntType::U32, all);
                let info = self.kernel.info().get_entry_point(0);
                let types = &self.kernel.module().types;
                let signed =
                    info[handle].ty.inner_with(types).scalar_kind() == Some(ScalarKind::Sint);
                (if signed { IntType::I32 } else { IntType::U32 }, Linear::symbol(any))
            }
        }
    }

    /// The root of a pointer and the steps from there.
    pub(super) fn path(
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

    /// A symbol for an operation; the same one for the same operation on this path.
    pub(super) fn operation(
        &mut self,
        ty: IntType,
        operator: Operator,
        a: &Linear,
        b: &Linear,
        state: &mut State,
    ) -> Linear {
        let same = |r: &&Remembered| r.operator == operator && r.ty == ty && r.a == *a && r.b == *b;
        if let Some(known) = self.remembered.iter().rev().take(32).find(same) {
            return Linear::symbol(known.symbol);
        }
        let symbol = state.known.operation(&mut self.symbols, ty, operator, a, b);
        let (a, b) = (a.clone(), b.clone());
        self.remembered.push(Remembered { operator, ty, a, b, symbol });
        Linear::symbol(symbol)
    }

    /// How many operations are remembered. One that is remembered on a branch must be forgotten
    /// where the branch ends, since its symbol's bounds are the branch's.
    pub(super) fn remembered(&self) -> usize {
        self.remembered.len()
    }

    pub(super) fn forget_operations(&mut self, down_to: usize) {
        self.remembered.truncate(down_to);
    }
}

fn has_unknown(parts: &[Value]) -> bool {
    parts.iter().any(|part| match part {
        Value::Unknown => true,
        Value::Many(inner) => has_unknown(inner),
        _ => false,
    })
}

/// The tracked type of a scalar kind.
pub(super) fn int_type(kind: ScalarKind) -> Option<IntType> {
    match kind {
        ScalarKind::Uint => Some(IntType::U32),
        ScalarKind::Sint => Some(IntType::I32),
        _ => None,
    }
}

fn literal_value(literal: Literal) -> Value {
    match literal {
        Literal::U32(v) => Value::Int(IntType::U32, Linear::constant(v.into()).wrapped()),
        Literal::I32(v) => Value::Int(IntType::I32, Linear::constant(v.into())),
        Literal::Bool(b) => Value::bool(b),
        _ => Value::Unknown,
    }
}
