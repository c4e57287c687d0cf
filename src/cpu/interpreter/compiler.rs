//! The state that all parts of the compiler share: registers, operations, and the entries of expressions.
//!
//! Values are flattened into scalar planes in single assignment form, so splitting and composing values costs
//! nothing. Pure operations on launch-invariant planes go to the preamble, and those on constants are evaluated
//! at once. `expressions` and `numeric` turn expressions into operations, `places` variables and pointers,
//! `statements` control flow. `allocate` is the last stage. No function recurses on the depth of the kernel.

use std::collections::HashMap;
use std::rc::Rc;

use naga::valid::FunctionInfo;
use naga::{AddressSpace, Expression, Handle, Span};

use super::allocate;
use super::bytecode::{Builtin, Label, Op, Program};
use super::class::Class;
use super::functions::{Binary, Reg, Ternary, Unary};
use super::note::Watch;
use super::place::Place;
use super::shape::{Kind, Shape, Shapes};
use crate::error::{Error, Result};
use crate::kernel::Kernel;

/// The planes of a value, in flat order.
pub(in crate::cpu) type Value = Rc<[Reg]>;

/// The meaning of an expression.
#[derive(Debug, Clone)]
pub(in crate::cpu) enum Entry {
    Value(Value),
    Place(Place),
}

/// The owner of an expression: the entry point or the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Scope {
    Function,
    Global,
}

/// The most bytes of registers that one batch of workgroups may take.
const MAX_FILE: u64 = 256 << 20;
/// The number of lanes that batches of small workgroups are filled up to.
const BATCH_LANES: u32 = 256;
/// The most bytes of registers of a filled-up batch.
const BATCH_FILE: u64 = 256 << 10;

pub(in crate::cpu) struct Compiler<'k> {
    pub(in crate::cpu) kernel: &'k Kernel,
    pub(in crate::cpu) module: &'k naga::Module,
    pub(in crate::cpu) function: &'k naga::Function,
    pub(in crate::cpu) info: &'k FunctionInfo,
    pub(in crate::cpu) shapes: Shapes<'k>,
    pub(in crate::cpu) classes: Vec<Class>,
    /// For each register, the number of loops around its definition.
    pub(super) depths: Vec<u32>,
    /// The loops that are being compiled, outermost first, by the label of their head.
    pub(in crate::cpu) heads: Vec<Label>,
    /// Loop-invariant operations, computed before the loop.
    pub(super) hoisted: HashMap<Label, Vec<Op>>,
    /// For each variable, the expressions whose values may still be planes of the variable.
    pub(super) aliases: HashMap<Reg, Vec<(Scope, Handle<Expression>)>>,
    pub(super) constants: HashMap<u32, Reg>,
    pub(in crate::cpu) builtins: HashMap<Builtin, Reg>,
    pub(in crate::cpu) preamble: Vec<Op>,
    pub(in crate::cpu) body: Vec<Op>,
    /// The source of the operations that are being appended.
    pub(in crate::cpu) span: Span,
    pub(super) labels: Label,
    pub(in crate::cpu) entries: Vec<Option<Entry>>,
    pub(in crate::cpu) global_entries: Vec<Option<Entry>>,
    pub(in crate::cpu) locals: HashMap<Handle<naga::LocalVariable>, Reg>,
    /// First plane of each private variable, first scalar of each workgroup variable.
    pub(in crate::cpu) globals: HashMap<Handle<naga::GlobalVariable>, u32>,
    pub(in crate::cpu) workgroup_words: u64,
    /// The mask of the operations that are being appended.
    pub(in crate::cpu) exec: Reg,
    /// Whether `exec` is set for all invocations.
    pub(in crate::cpu) full: bool,
    pub(in crate::cpu) storage_atomics: bool,
    pub(in crate::cpu) subgroups: bool,
    pub(in crate::cpu) loops: Vec<Span>,
    /// Whether a load copies a variable's planes at once, for callers that do not track stores.
    pub(in crate::cpu) copies: bool,
    /// Present if the program is to be watched.
    pub(in crate::cpu) watch: Option<Watch>,
}

impl<'k> Compiler<'k> {
    pub(in crate::cpu) fn new(kernel: &'k Kernel) -> Result<Self> {
        let module = kernel.module();
        let function = &kernel.entry_point().function;
        Ok(Compiler {
            kernel,
            module,
            function,
            info: kernel.info().get_entry_point(0),
            shapes: Shapes::new(module),
            classes: Vec::new(),
            depths: Vec::new(),
            heads: Vec::new(),
            hoisted: HashMap::new(),
            aliases: HashMap::new(),
            constants: HashMap::new(),
            builtins: HashMap::new(),
            preamble: Vec::new(),
            body: Vec::new(),
            span: Span::UNDEFINED,
            labels: 0,
            entries: vec![None; function.expressions.len()],
            global_entries: vec![None; module.global_expressions.len()],
            locals: HashMap::new(),
            globals: HashMap::new(),
            workgroup_words: 0,
            exec: 0,
            full: true,
            storage_atomics: false,
            subgroups: false,
            loops: Vec::new(),
            copies: false,
            watch: None,
        })
    }

    pub(super) fn finish(mut self, subgroup_size: u32) -> Result<Program> {
        self.place_hoisted();
        let size = self.kernel.signature().workgroup_size;
        let code = allocate::allocate(
            &self.classes,
            std::mem::take(&mut self.preamble),
            std::mem::take(&mut self.body),
        );
        let lanes: u32 = size.iter().product();
        let bytes = |lanes: u32| u64::from(code.slots) * u64::from(lanes) * 4;
        if bytes(lanes) > MAX_FILE {
            return Err(self.unsupported(
                &format!(
                    "a kernel whose variables take {} MiB for one workgroup (make its private arrays smaller)",
                    bytes(lanes) >> 20
                ),
                Span::UNDEFINED,
            ));
        }
        let together = self.workgroup_words == 0 && !self.subgroups && !self.storage_atomics;
        let mut pack = 1;
        while together
            && lanes * (pack + 1) <= BATCH_LANES
            && bytes(lanes * (pack + 1)) <= BATCH_FILE
        {
            pack += 1;
        }
        let place = |reg: Reg| code.slot_of(reg);
        Ok(Program {
            constants: self
                .constants
                .iter()
                .filter_map(|(&value, &reg)| Some((place(reg)?, value)))
                .collect(),
            builtins: self
                .builtins
                .iter()
                .filter_map(|(&builtin, &reg)| Some((place(reg)?, builtin)))
                .collect(),
            workgroup_words: self.workgroup_words as usize,
            workgroup_size: size,
            subgroup_size,
            pack,
            loops: self.loops,
            sites: self.watch.map(|watch| watch.sites).unwrap_or_default(),
            slots: code.slots,
            preamble: code.preamble,
            body: code.body,
        })
    }

    /// The error for valid WGSL that the interpreter does not run.
    pub(in crate::cpu) fn unsupported(&self, what: &str, span: Span) -> Error {
        Error::Unsupported { what: what.to_owned(), at: self.kernel.source().render(span) }
    }

    /// An error for code that validation or normalisation should have excluded.
    pub(in crate::cpu) fn broken(&self, what: &str) -> Error {
        let at = self.kernel.source().render(self.span);
        Error::Internal { place: "cpu::interpreter".to_owned(), cause: format!("{what}\n{at}") }
    }

    pub(in crate::cpu) fn register(&mut self, class: Class) -> Reg {
        self.classes.push(class);
        self.depths.push(self.heads.len() as u32);
        (self.classes.len() - 1) as Reg
    }

    pub(in crate::cpu) fn constant(&mut self, value: u32) -> Reg {
        if let Some(&reg) = self.constants.get(&value) {
            return reg;
        }
        let reg = self.register(Class::Constant(value));
        self.constants.insert(value, reg);
        reg
    }

    pub(in crate::cpu) fn float(&mut self, value: f32) -> Reg {
        self.constant(value.to_bits())
    }

    /// The value of a register that is a constant.
    pub(in crate::cpu) fn known(&self, reg: Reg) -> Option<u32> {
        match self.classes[reg as usize] {
            Class::Constant(value) => Some(value),
            _ => None,
        }
    }

    pub(in crate::cpu) fn builtin(&mut self, builtin: Builtin) -> Reg {
        if let Some(&reg) = self.builtins.get(&builtin) {
            return reg;
        }
        let class = match builtin {
            Builtin::NumWorkgroups(_) | Builtin::NumSubgroups | Builtin::SubgroupSize => {
                Class::Invariant
            }
            _ => Class::Builtin,
        };
        let reg = self.register(class);
        self.builtins.insert(builtin, reg);
        reg
    }

    pub(in crate::cpu) fn label(&mut self) -> Label {
        self.labels += 1;
        self.labels - 1
    }

    pub(in crate::cpu) fn push(&mut self, op: Op) {
        self.body.push(op);
    }

    /// Appends a pure operation: to the preamble if its sources are invariant, else before the outermost loop
    /// that changes none of its sources.
    pub(in crate::cpu) fn compute(&mut self, make: impl FnOnce(Reg) -> Op) -> Reg {
        let dst = self.register(Class::Temporary);
        let mut op = make(dst);
        let mut invariant = true;
        let mut depth = 0;
        let (classes, depths) = (&self.classes, &self.depths);
        op.for_each_source(&mut |reg| match classes[*reg as usize] {
            Class::Constant(_) | Class::Invariant => {}
            Class::Builtin => invariant = false,
            Class::Temporary => {
                invariant = false;
                depth = depth.max(depths[*reg as usize]);
            }
            Class::Mask | Class::Variable(_) => {
                invariant = false;
                depth = u32::MAX;
            }
        });
        if invariant {
            self.classes[dst as usize] = Class::Invariant;
            self.preamble.push(op);
        } else if let Some(&head) = self.heads.get(depth as usize) {
            self.depths[dst as usize] = depth;
            self.hoisted.entry(head).or_default().push(op);
        } else {
            self.push(op);
        }
        dst
    }

    /// Puts hoisted operations before the heads of their loops.
    fn place_hoisted(&mut self) {
        let body = std::mem::take(&mut self.body);
        for op in body {
            if let Op::Label(label) = op
                && let Some(before) = self.hoisted.remove(&label)
            {
                self.body.extend(before);
            }
            self.body.push(op);
        }
    }

    /// Copies the planes of a variable that expressions still refer to, before it changes.
    pub(in crate::cpu) fn detach(&mut self, variable: Reg) {
        let mut copies: HashMap<Reg, Reg> = HashMap::new();
        for (scope, handle) in self.aliases.remove(&variable).unwrap_or_default() {
            let Some(Entry::Value(value)) = self.entry(scope, handle).cloned() else { continue };
            let value: Value = value
                .iter()
                .map(|&reg| {
                    if self.classes[reg as usize] != Class::Variable(variable) {
                        return reg;
                    }
                    *copies.entry(reg).or_insert_with(|| {
                        let dst = self.register(Class::Temporary);
                        self.push(Op::Unary { f: Unary::Copy, dst, a: reg });
                        dst
                    })
                })
                .collect();
            // Without `set`, because its aliases of other variables are recorded already.
            let entry = match scope {
                Scope::Function => &mut self.entries[handle.index()],
                Scope::Global => &mut self.global_entries[handle.index()],
            };
            *entry = Some(Entry::Value(value));
        }
    }

    /// Does the same for all variables.
    pub(in crate::cpu) fn detach_all(&mut self) {
        let mut variables: Vec<Reg> = self.aliases.keys().copied().collect();
        // The iteration order of a hash map must not affect the code.
        variables.sort_unstable();
        for variable in variables {
            self.detach(variable);
        }
    }

    pub(in crate::cpu) fn unary(&mut self, f: Unary, a: Reg) -> Reg {
        match self.known(a) {
            Some(x) => self.constant(f.eval([x])),
            None => self.compute(|dst| Op::Unary { f, dst, a }),
        }
    }

    pub(in crate::cpu) fn binary(&mut self, f: Binary, a: Reg, b: Reg) -> Reg {
        match (self.known(a), self.known(b)) {
            (Some(x), Some(y)) => return self.constant(f.eval([x, y])),
            (_, Some(0)) if matches!(f, Binary::AddI | Binary::SubI | Binary::Or) => return a,
            (Some(0), _) if matches!(f, Binary::AddI | Binary::Or) => return b,
            (_, Some(1)) if matches!(f, Binary::MulI | Binary::DivU) => return a,
            (Some(1), _) if f == Binary::MulI => return b,
            // Division is slow, and divisors are usually powers of two.
            (_, Some(y)) if f == Binary::DivU && y.is_power_of_two() => {
                let b = self.constant(y.trailing_zeros());
                return self.compute(|dst| Op::Binary { f: Binary::ShrU, dst, a, b });
            }
            (_, Some(y)) if f == Binary::RemU && y.is_power_of_two() => {
                let b = self.constant(y - 1);
                return self.compute(|dst| Op::Binary { f: Binary::And, dst, a, b });
            }
            _ => {}
        }
        self.compute(|dst| Op::Binary { f, dst, a, b })
    }

    pub(in crate::cpu) fn ternary(&mut self, f: Ternary, a: Reg, b: Reg, c: Reg) -> Reg {
        match (self.known(a), self.known(b), self.known(c)) {
            (Some(x), Some(y), Some(z)) => self.constant(f.eval([x, y, z])),
            _ => self.compute(|dst| Op::Ternary { f, dst, a, b, c }),
        }
    }

    /// `accept` if the condition holds, else `reject`.
    pub(in crate::cpu) fn select(&mut self, condition: Reg, accept: Reg, reject: Reg) -> Reg {
        self.ternary(Ternary::Select, accept, reject, condition)
    }

    /// The result of an operation in f32, rounded if its type is f16.
    pub(in crate::cpu) fn rounded(&mut self, kind: Kind, reg: Reg) -> Reg {
        if kind == Kind::F16 { self.unary(Unary::RoundH, reg) } else { reg }
    }

    pub(in crate::cpu) fn expression(
        &self,
        scope: Scope,
        handle: Handle<Expression>,
    ) -> &'k Expression {
        match scope {
            Scope::Function => &self.function.expressions[handle],
            Scope::Global => &self.module.global_expressions[handle],
        }
    }

    pub(in crate::cpu) fn expression_span(&self, scope: Scope, handle: Handle<Expression>) -> Span {
        match scope {
            Scope::Function => self.function.expressions.get_span(handle),
            Scope::Global => self.module.global_expressions.get_span(handle),
        }
    }

    pub(in crate::cpu) fn entry(&self, scope: Scope, handle: Handle<Expression>) -> Option<&Entry> {
        match scope {
            Scope::Function => self.entries[handle.index()].as_ref(),
            Scope::Global => self.global_entries[handle.index()].as_ref(),
        }
    }

    pub(in crate::cpu) fn set(&mut self, scope: Scope, handle: Handle<Expression>, entry: Entry) {
        if let Entry::Value(value) = &entry {
            let mut previous = None;
            for &reg in value.iter() {
                if let Class::Variable(variable) = self.classes[reg as usize]
                    && previous != Some(variable)
                {
                    self.aliases.entry(variable).or_default().push((scope, handle));
                    previous = Some(variable);
                }
            }
        }
        let slot = match scope {
            Scope::Function => &mut self.entries[handle.index()],
            Scope::Global => &mut self.global_entries[handle.index()],
        };
        *slot = Some(entry);
    }

    /// The planes of an expression that is known to have been evaluated.
    pub(in crate::cpu) fn ready_value(
        &self,
        scope: Scope,
        handle: Handle<Expression>,
    ) -> Result<Value> {
        match self.entry(scope, handle) {
            Some(Entry::Value(value)) => Ok(value.clone()),
            Some(Entry::Place(_)) => Err(self.broken("a pointer is used as a value")),
            None => Err(self.broken("an expression is used before it is evaluated")),
        }
    }

    /// The type of a value.
    pub(in crate::cpu) fn shape(&self, scope: Scope, handle: Handle<Expression>) -> Result<Shape> {
        use naga::TypeInner as Ti;
        use naga::proc::TypeResolution;
        let resolution = match scope {
            Scope::Function => &self.info[handle].ty,
            Scope::Global => &self.kernel.info()[handle],
        };
        Ok(match *resolution {
            TypeResolution::Handle(ty) => Shape::Type(ty),
            TypeResolution::Value(Ti::Scalar(scalar)) => Shape::Scalar(scalar),
            TypeResolution::Value(Ti::Vector { size, scalar }) => Shape::Vector(size, scalar),
            TypeResolution::Value(Ti::Matrix { columns, rows, scalar }) => {
                Shape::Matrix(columns, rows, scalar)
            }
            TypeResolution::Value(_) => return Err(self.broken("a value of an unexpected type")),
        })
    }

    /// The scalar type of a scalar, vector or matrix.
    pub(in crate::cpu) fn kind(&self, scope: Scope, handle: Handle<Expression>) -> Result<Kind> {
        let scalar = self
            .shapes
            .scalar(self.shape(scope, handle)?)
            .ok_or_else(|| self.broken("an operand without a scalar type"))?;
        Kind::of(scalar).ok_or_else(|| {
            self.unsupported("a scalar of 64 bits", self.expression_span(scope, handle))
        })
    }

    /// Scalars of a type that values may have.
    pub(in crate::cpu) fn flat(&self, shape: Shape) -> Result<u64> {
        self.shapes
            .flat(shape)
            .ok_or_else(|| self.unsupported("a type that is not made of 32-bit scalars", self.span))
    }

    /// The number of planes of a variable or a value.
    pub(in crate::cpu) fn planes(&self, shape: Shape) -> Result<u64> {
        let count = self.flat(shape)?;
        // At least one row of lanes must fit. A larger count could also overflow the register numbers.
        if count > MAX_FILE / 64 {
            return Err(self.unsupported("a variable or value of that size", self.span));
        }
        Ok(count)
    }

    /// Gives planes to private variables, and words to workgroup variables.
    pub(in crate::cpu) fn declare_globals(&mut self) -> Result<()> {
        for (handle, var) in self.module.global_variables.iter() {
            if self.info[handle].is_empty() {
                continue;
            }
            self.span = self.module.global_variables.get_span(handle);
            match var.space {
                AddressSpace::Private => {
                    let base = self.variable(Shape::Type(var.ty))?;
                    self.globals.insert(handle, base);
                }
                AddressSpace::WorkGroup => {
                    let at = u32::try_from(self.workgroup_words)
                        .map_err(|_| self.broken("workgroup memory beyond 4 GiB"))?;
                    self.workgroup_words += self.flat(Shape::Type(var.ty))?;
                    self.globals.insert(handle, at);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The first of the planes of a new variable.
    pub(in crate::cpu) fn variable(&mut self, shape: Shape) -> Result<Reg> {
        let count = self.planes(shape)?;
        let base = self.classes.len() as Reg;
        for _ in 0..count.max(1) {
            self.register(Class::Variable(base));
        }
        Ok(base)
    }
}
