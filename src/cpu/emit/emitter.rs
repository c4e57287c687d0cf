//! The state of the lowering: values of registers, variables, and the mask.
//!
//! A uniform value is a scalar. A strided value is its first lane's value, and becomes lanes where they are needed.
//! Other values are lanes. Lanes that are derived from a scalar are known only inside the region that derived them,
//! so that their definition dominates every use.

use std::collections::{HashMap, HashSet};

use super::instructions::{Area, Compare, Instructions, Kind, Scalar, Size};
use crate::cpu::compiled::AnyFunction;
use crate::cpu::interpreter::bytecode::Op;
use crate::cpu::interpreter::functions::{Binary, Reg};
use crate::cpu::spmd::Compiled;
use crate::cpu::spmd::ir::{Kernel, Target};
use crate::cpu::spmd::liveness::Liveness;
use crate::cpu::spmd::shape::{Class, Shapes};
use crate::cpu::spmd::types::{Ty, Types};
use crate::error::{Error, Result};

/// The representation of a value.
#[derive(Debug, Clone)]
pub(super) enum Val<V, L> {
    Scalar(V, Ty),
    /// The first lane's value, and the step.
    Strided(V, i32),
    Vector(L, Ty),
}

/// The mask: the lanes that execute.
#[derive(Debug, Clone)]
pub(in crate::cpu) enum Mask<L> {
    Full,
    Some(L),
}

impl<L> Mask<L> {
    pub(in crate::cpu) fn is_full(&self) -> bool {
        matches!(self, Mask::Full)
    }
}

/// A loop or switch around the code that is being emitted.
#[derive(Debug, Clone)]
pub(super) struct Frame<K, S> {
    pub(super) target: Option<Target>,
    /// The target of `continue`.
    pub(super) next: K,
    /// The target of `break`.
    pub(super) exit: K,
    /// If lanes leave it at different times: the masks of the lanes still in it, and of those still in this
    /// iteration.
    pub(super) masks: Option<[S; 2]>,
    /// Whether a lane may have continued so far.
    pub(super) continued: bool,
}

/// A binding, as the launch passes it.
#[derive(Debug, Clone)]
pub(in crate::cpu) struct BindingArguments<V> {
    pub(in crate::cpu) address: V,
    /// Elements of its array.
    pub(in crate::cpu) length: V,
    /// As `length`, for signed indices: 2^31 at most.
    pub(in crate::cpu) signed: V,
}

/// The arguments of a launch.
#[derive(Debug)]
pub(in crate::cpu) struct Arguments<V> {
    pub(in crate::cpu) budget: V,
    /// The first workgroup of the chunk, and the number of workgroups, as longs.
    pub(in crate::cpu) batch: [V; 2],
    pub(in crate::cpu) scratch: V,
    pub(in crate::cpu) grid: [V; 3],
    pub(in crate::cpu) first: [V; 3],
    pub(in crate::cpu) count: [V; 3],
    pub(in crate::cpu) bindings: Vec<BindingArguments<V>>,
}

/// The memory of a private array.
#[derive(Debug, Clone)]
pub(super) struct ArrayMemory<V> {
    /// Its place in the scratch memory, and its bytes for each gang; none if it is in the frame.
    pub(super) place: Option<(u64, u64)>,
    /// The address of the current gang's part.
    pub(super) address: V,
}

/// A pair of a register and the type that its value has in use.
type Use = (Reg, bool, Ty);

pub(in crate::cpu) struct Emitter<'k, I: Instructions> {
    /// The back end, which builds the function.
    pub(in crate::cpu) b: I,
    pub(in crate::cpu) kernel: &'k Kernel,
    pub(super) shapes: &'k Shapes,
    pub(in crate::cpu) types: Types,
    pub(super) liveness: &'k Liveness,
    /// Variables that can be set without a mask.
    loose: &'k HashSet<Reg>,
    pub(in crate::cpu) args: Arguments<I::Value>,
    vals: HashMap<Reg, Val<I::Value, I::Lanes>>,
    scopes: Vec<HashMap<Use, I::Lanes>>,
    pub(in crate::cpu) mask: Mask<I::Lanes>,
    /// The lanes that the gang has at all.
    pub(super) exists: Mask<I::Lanes>,
    pub(super) frames: Vec<Frame<I::Block, I::Slot>>,
    /// Divergent branches around the code that is being emitted: the number of frames outside, and the block at
    /// the branch's end.
    pub(super) arms: Vec<(usize, I::Block)>,
    /// Functions that are called by number.
    functions: Vec<AnyFunction>,
    /// Index operations, which are not computed: their users look through them.
    pub(super) indices: HashMap<Reg, Op>,
    /// Sums of a register and a constant.
    pub(super) sums: HashMap<Reg, (Reg, u32)>,
    variables: HashMap<Reg, I::Slot>,
    pub(super) arrays: HashMap<Reg, ArrayMemory<I::Value>>,
    /// The places of variables between regions, in the scratch memory.
    contexts: HashMap<Reg, u64>,
    /// Bytes of scratch memory so far.
    pub(super) scratch: u64,
    /// The number of the gang.
    pub(super) gang: I::Value,
    /// The gang's place along the axes, in gangs along x, if gangs lie in rows.
    pub(super) place: Option<[I::Value; 3]>,
    /// The workgroup's id.
    pub(super) group: [I::Value; 3],
    /// The workgroup's place in its row of the chunk's grid.
    pub(super) column: I::Value,
    /// The number of workgroups left in the batch.
    pub(super) left: I::Slot,
    /// The number of workgroups that the loops over gangs run at once.
    pub(super) span: I::Slot,
    pub(super) budget: I::Slot,
    /// The places of loops with a budget, in the order of the statuses that name them.
    loop_spans: Vec<naga::Span>,
    /// The number of operations that may still be emitted twice.
    pub(super) clones: usize,
}

impl<'k, I: Instructions> Emitter<'k, I> {
    pub(super) fn new(
        mut b: I,
        compiled: &'k Compiled,
        args: Arguments<I::Value>,
    ) -> Emitter<'k, I> {
        let kernel = &compiled.code;
        let zero = b.int(0);
        let slots = [Kind::Long, Kind::Scalar(Ty::Int), Kind::Long].map(|kind| b.slot(kind));
        let [left, span, budget] = slots;
        Emitter {
            b,
            kernel,
            shapes: &compiled.shapes,
            types: Types::of(kernel),
            liveness: &compiled.liveness,
            loose: &compiled.loose,
            args,
            vals: HashMap::new(),
            scopes: vec![HashMap::new()],
            mask: Mask::Full,
            exists: Mask::Full,
            frames: Vec::new(),
            arms: Vec::new(),
            functions: Vec::new(),
            indices: HashMap::new(),
            sums: HashMap::new(),
            variables: HashMap::new(),
            arrays: HashMap::new(),
            contexts: HashMap::new(),
            scratch: 0,
            gang: zero.clone(),
            place: None,
            group: [0; 3].map(|_| zero.clone()),
            column: zero,
            left,
            span,
            budget,
            loop_spans: Vec::new(),
            clones: I::CLONES,
        }
    }

    /// The back end, the functions that the code calls by number, bytes of scratch memory, and the loops that
    /// statuses stand for.
    pub(super) fn into_parts(self) -> (I, Vec<AnyFunction>, u64, Vec<naga::Span>) {
        (self.b, self.functions, self.scratch, self.loop_spans)
    }

    pub(in crate::cpu) fn broken(&self, what: &str) -> Error {
        Error::Internal { place: I::PLACE.to_owned(), cause: what.to_owned() }
    }

    pub(super) fn unsupported(&self, what: &str) -> Error {
        Error::Unsupported { what: format!("{what}, in the CPU's compiler"), at: String::new() }
    }

    // Classes.

    pub(in crate::cpu) fn class(&self, reg: Reg) -> Class {
        match self.shapes.regs[reg as usize].class {
            Class::Unset => Class::Workgroup,
            class => class,
        }
    }

    pub(in crate::cpu) fn is_uniform(&self, reg: Reg) -> bool {
        self.class(reg) <= Class::Gang
    }

    /// Whether a register's value is lanes: neither uniform nor strided.
    pub(super) fn is_vector(&self, reg: Reg) -> bool {
        matches!(self.class(reg), Class::Likely | Class::Varying)
    }

    // Values.

    /// Sets a register.
    pub(super) fn define(&mut self, reg: Reg, val: Val<I::Value, I::Lanes>) {
        self.vals.insert(reg, val);
        for scope in &mut self.scopes {
            for vector in [false, true] {
                for ty in [Ty::Float, Ty::Int, Ty::Bool] {
                    scope.remove(&(reg, vector, ty));
                }
            }
        }
    }

    /// Sets a register to the lanes that an operation computed, in the form that the register's class has.
    pub(super) fn define_result(&mut self, reg: Reg, lanes: I::Lanes, ty: Ty) {
        let val = match self.class(reg) {
            Class::Strided(step) => Val::Strided(I::only(&lanes), step),
            Class::Likely | Class::Varying => Val::Vector(lanes, ty),
            _ => Val::Scalar(I::only(&lanes), ty),
        };
        self.define(reg, val);
    }

    /// Sets a register to words that were loaded, or to the f32 values of narrow forms.
    pub(in crate::cpu) fn define_loaded(
        &mut self,
        reg: Reg,
        loaded: &I::Lanes,
        half: bool,
        vector: bool,
    ) {
        let (lanes, ty) = if half {
            (self.b.widened(loaded, vector), Ty::Float)
        } else {
            (loaded.clone(), Ty::Int)
        };
        let val = if vector { Val::Vector(lanes, ty) } else { Val::Scalar(I::only(&lanes), ty) };
        self.define(reg, val);
    }

    /// A register's value in the form that it has.
    pub(super) fn val(&self, reg: Reg) -> Result<Val<I::Value, I::Lanes>> {
        match self.vals.get(&reg) {
            Some(val) => Ok(val.clone()),
            None => Err(self.broken(&format!("r{reg} is used before it is set"))),
        }
    }

    fn derived(&self, key: Use) -> Option<I::Lanes> {
        self.scopes.iter().rev().find_map(|scope| scope.get(&key).cloned())
    }

    fn derive(&mut self, key: Use, lanes: &I::Lanes) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(key, lanes.clone());
        }
    }

    /// Begins a scope: lanes that are derived in it are forgotten at `leave`.
    pub(in crate::cpu) fn enter(&mut self) {
        self.scopes.push(HashMap::new());
    }

    pub(in crate::cpu) fn leave(&mut self) {
        self.scopes.pop();
    }

    /// A uniform register, or the first lane of another.
    pub(in crate::cpu) fn scalar(&mut self, reg: Reg, ty: Ty) -> Result<I::Value> {
        if let Some(bits) = self.kernel.known(reg) {
            return Ok(I::only(&self.b.number(bits, ty, false)));
        }
        let key = (reg, false, ty);
        if let Some(lanes) = self.derived(key) {
            return Ok(I::only(&lanes));
        }
        let (value, from) = match self.val(reg)? {
            Val::Scalar(value, from) => (value, from),
            Val::Strided(value, _) => (value, Ty::Int),
            Val::Vector(lanes, from) => self.b.first(&lanes, from),
        };
        let lanes = self.b.convert(&I::single(&value), from, ty, false);
        self.derive(key, &lanes);
        Ok(I::only(&lanes))
    }

    /// A register as lanes.
    pub(in crate::cpu) fn vector(&mut self, reg: Reg, ty: Ty) -> Result<I::Lanes> {
        if let Some(bits) = self.kernel.known(reg) {
            return Ok(self.b.number(bits, ty, true));
        }
        let key = (reg, true, ty);
        if let Some(lanes) = self.derived(key) {
            return Ok(lanes);
        }
        let lanes = match self.val(reg)? {
            Val::Vector(lanes, from) => self.b.convert(&lanes, from, ty, true),
            // One instruction broadcasts a word from memory to all lanes.
            Val::Scalar(value, Ty::Int) if ty == Ty::Float => {
                let lanes = self.b.splat(&value, Ty::Int);
                self.b.convert(&lanes, Ty::Int, ty, true)
            }
            Val::Scalar(..) => {
                let scalar = self.scalar(reg, ty)?;
                self.b.splat(&scalar, ty)
            }
            Val::Strided(base, step) => {
                let first = self.b.splat(&base, Ty::Int);
                let iota = self.b.iota(step);
                let lanes = self.b.binary(Binary::AddI, &first, &iota, Ty::Int, true);
                self.b.convert(&lanes, Ty::Int, ty, true)
            }
        };
        self.derive(key, &lanes);
        Ok(lanes)
    }

    /// A register as lanes or a scalar.
    pub(in crate::cpu) fn get(&mut self, reg: Reg, ty: Ty, vector: bool) -> Result<I::Lanes> {
        if vector { self.vector(reg, ty) } else { Ok(I::single(&self.scalar(reg, ty)?)) }
    }

    /// A register in the form that memory has.
    pub(in crate::cpu) fn narrowed(
        &mut self,
        reg: Reg,
        half: bool,
        vector: bool,
    ) -> Result<I::Lanes> {
        if !half {
            return self.get(reg, Ty::Int, vector);
        }
        let value = self.get(reg, Ty::Float, vector)?;
        Ok(self.b.narrowed(&value, vector))
    }

    // Variables.

    /// The type of a variable, and whether it has lanes.
    fn variable_type(&self, var: Reg) -> (Ty, bool) {
        let ty = self.types.of_reg(var);
        match self.class(var) {
            Class::Strided(_) => (Ty::Int, false),
            class if class <= Class::Gang => (ty, false),
            _ => (ty, true),
        }
    }

    fn variable(&mut self, var: Reg) -> I::Slot {
        if let Some(known) = self.variables.get(&var) {
            return known.clone();
        }
        let (ty, vector) = self.variable_type(var);
        let made = self.b.slot(if vector { Kind::Lanes(ty) } else { Kind::Scalar(ty) });
        self.variables.insert(var, made.clone());
        made
    }

    /// The current value of a variable.
    pub(super) fn load_variable(&mut self, var: Reg) -> Val<I::Value, I::Lanes> {
        let slot = self.variable(var);
        let (ty, vector) = self.variable_type(var);
        let lanes = self.b.read(&slot);
        match self.class(var) {
            Class::Strided(step) => Val::Strided(I::only(&lanes), step),
            _ if vector => Val::Vector(lanes, ty),
            _ => Val::Scalar(I::only(&lanes), ty),
        }
    }

    /// Sets a variable in the executing lanes.
    pub(super) fn store_variable(&mut self, var: Reg, value: Reg) -> Result<()> {
        let slot = self.variable(var);
        let (ty, vector) = self.variable_type(var);
        let mut new = self.get(value, ty, vector)?;
        if vector
            && !self.loose.contains(&var)
            && let Mask::Some(mask) = self.mask.clone()
        {
            let old = self.b.read(&slot);
            new = self.b.select(&mask, &new, &old, ty, true);
        }
        self.b.write(&slot, &new);
        Ok(())
    }

    // Memory between regions.

    /// The address of a gang's part of the scratch memory.
    pub(super) fn part_of_gang(&mut self, at: u64, bytes: u64) -> I::Value {
        let mut offset = self.b.long(at as i64);
        if self.kernel.is_split() {
            let gang = self.b.extend(&self.gang, false);
            let bytes = self.b.long(bytes as i64);
            let part = self.b.scalar(Scalar::Product, Size::Long, &gang, &bytes);
            offset = self.b.scalar(Scalar::Sum, Size::Long, &part, &offset);
        }
        self.b.address(&self.args.scratch, &offset)
    }

    /// The address of a variable between regions, its type, and whether it has lanes.
    fn context(&mut self, var: Reg) -> (I::Value, Ty, bool) {
        let (ty, vector) = self.variable_type(var);
        let lanes = if vector { u64::from(self.b.width()) } else { 1 };
        let at = match self.contexts.get(&var) {
            Some(&at) => at,
            None => {
                let at = self.scratch;
                self.scratch += (lanes * 4 * self.kernel.gangs()).next_multiple_of(64);
                self.contexts.insert(var, at);
                at
            }
        };
        (self.part_of_gang(at, lanes * 4), ty, vector)
    }

    /// Loads a variable that an earlier region left.
    pub(super) fn restore_variable(&mut self, var: Reg) {
        let (address, ty, vector) = self.context(var);
        let words = if vector {
            self.b.load_row(false, Area::Private, &address, 0)
        } else {
            I::single(&self.b.load_word(false, Area::Private, &address, 0))
        };
        let lanes = self.b.convert(&words, Ty::Int, ty, vector);
        let slot = self.variable(var);
        self.b.write(&slot, &lanes);
    }

    /// Stores a variable that a later region needs.
    pub(super) fn save_variable(&mut self, var: Reg) {
        let (address, ty, vector) = self.context(var);
        let slot = self.variable(var);
        let lanes = self.b.read(&slot);
        let words = self.b.convert(&lanes, ty, Ty::Int, vector);
        if vector {
            self.b.store_row(false, Area::Private, &words, &address, 0);
        } else {
            self.b.store_word(false, Area::Private, &I::only(&words), &address, 0);
        }
    }

    // Masks.

    /// The mask as lanes.
    pub(in crate::cpu) fn mask_lanes(&mut self) -> I::Lanes {
        match &self.mask {
            Mask::Full => self.b.number(u32::MAX, Ty::Bool, true),
            Mask::Some(mask) => mask.clone(),
        }
    }

    /// The empty mask.
    pub(super) fn no_lanes(&mut self) -> Mask<I::Lanes> {
        Mask::Some(self.b.number(0, Ty::Bool, true))
    }

    pub(in crate::cpu) fn and(&mut self, a: &I::Lanes, b: &I::Lanes) -> I::Lanes {
        self.b.binary(Binary::And, a, b, Ty::Bool, true)
    }

    /// The lanes of `a` that are not in `b`.
    pub(in crate::cpu) fn and_not(&mut self, a: &I::Lanes, b: &I::Lanes) -> I::Lanes {
        self.b.binary(Binary::AndNot, a, b, Ty::Bool, true)
    }

    // Numbers of functions and loops.

    /// Calls a Rust function for each lane.
    pub(super) fn call(
        &mut self,
        function: AnyFunction,
        args: &[Reg],
        ty: Ty,
        vector: bool,
    ) -> Result<I::Lanes> {
        let number = match self.functions.iter().position(|&known| known == function) {
            Some(number) => number,
            None => {
                self.functions.push(function);
                self.functions.len() - 1
            }
        };
        let mut lanes = Vec::new();
        for &arg in args {
            lanes.push(self.get(arg, Ty::Int, vector)?);
        }
        let words = self.b.call(number, &lanes, vector);
        Ok(self.b.convert(&words, Ty::Int, ty, vector))
    }

    /// The status that names a loop.
    pub(super) fn status_of(&mut self, span: naga::Span) -> u32 {
        let known = self.loop_spans.iter().position(|&known| known == span);
        let at = known.unwrap_or_else(|| {
            self.loop_spans.push(span);
            self.loop_spans.len() - 1
        });
        at as u32 + 1
    }

    /// Whether words are equal to their lane's number counted from the first lane's word.
    pub(super) fn follow(&mut self, words: &I::Lanes) -> (I::Value, I::Lanes) {
        let (first, _) = self.b.first(words, Ty::Int);
        let all = self.b.splat(&first, Ty::Int);
        let iota = self.b.iota(1);
        let row = self.b.binary(Binary::AddI, &all, &iota, Ty::Int, true);
        (first, self.b.compare(Compare::Eq, words, &row, true))
    }
}
