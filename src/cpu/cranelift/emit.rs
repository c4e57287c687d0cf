//! The SPMD form as Cranelift IR: values, variables and masks.
//!
//! A uniform value is a scalar. A strided value is its first lane's value, and becomes vectors where they are
//! needed. Other values are as many 128-bit vectors as the gang's width takes. A uniform truth value is a byte,
//! others are vectors of words whose bits are all equal. Vectors that are derived from a scalar are known only
//! inside the region that derived them, so that their definitions dominate every use. Control flow is in
//! `emit_flow`, operations in `emit_ops`, memory in `emit_memory`.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{
    AliasRegion, AliasRegionData, Block, ConstantData, InstBuilder, MemFlagsData, SigRef,
    StackSlot, StackSlotData, StackSlotKind, Type, Value, types,
};
use cranelift_frontend::{FunctionBuilder, Variable};

use crate::cpu::compiled::AnyFunction;
use crate::cpu::interpreter::bytecode::{Memory, Op};
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::Compiled;
use crate::cpu::spmd::ir::{Kernel, Target};
use crate::cpu::spmd::liveness::Liveness;
use crate::cpu::spmd::shape::{Class, Shapes};
use crate::cpu::spmd::types::{Ty, Types};
use crate::error::{Error, Result};

/// One scalar, or the vectors of a gang.
pub(super) type Lanes = Rc<[Value]>;

/// Lanes of one vector.
pub(super) const QUAD: u32 = 4;

/// The representation of a value.
#[derive(Debug, Clone)]
pub(super) enum Val {
    Scalar(Value, Ty),
    /// The first lane's value, and the step.
    Strided(Value, i32),
    Vector(Lanes, Ty),
}

/// The mask: the lanes that execute.
#[derive(Debug, Clone)]
pub(super) enum Mask {
    Full,
    Some(Lanes),
}

impl Mask {
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Mask::Full)
    }
}

/// A loop or switch around the code that is being emitted.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) target: Option<Target>,
    pub(super) masked: bool,
    /// The target of `continue`.
    pub(super) next: Block,
    /// The target of `break`.
    pub(super) exit: Block,
    /// The masks of the lanes still in it, and of those still in this iteration.
    pub(super) live: Rc<[Variable]>,
    pub(super) active: Rc<[Variable]>,
    /// Whether a lane may have continued so far.
    pub(super) continued: bool,
}

/// The arguments of a launch, as values of the entry block.
#[derive(Debug)]
pub(super) struct Arguments {
    pub(super) functions: Value,
    pub(super) budget: Value,
    pub(super) scratch: Value,
    pub(super) grid: [Value; 3],
    pub(super) first: [Value; 3],
    pub(super) count: [Value; 3],
    /// Of each binding: its address, its length, and its length for signed indices.
    pub(super) bindings: Vec<(Value, Value, Value)>,
}

pub(super) struct Emitter<'k, 'f> {
    pub(super) b: FunctionBuilder<'f>,
    pub(super) kernel: &'k Kernel,
    pub(super) shapes: &'k Shapes,
    pub(super) types: Types,
    pub(super) liveness: &'k Liveness,
    /// Variables that can be set without a mask.
    pub(super) loose: &'k HashSet<Reg>,
    /// Whether the machine has an instruction for fused multiply-adds.
    pub(super) fma: bool,
    pub(super) width: u32,
    pub(super) args: Arguments,
    pub(super) vals: HashMap<Reg, Val>,
    scopes: Vec<HashMap<(Reg, bool, Ty), Lanes>>,
    pub(super) mask: Mask,
    /// Whether the current block has its terminator.
    pub(super) ended: bool,
    pub(super) frames: Vec<Frame>,
    /// Divergent branches around the code that is being emitted: the number of frames outside, and the block at
    /// the branch's end.
    pub(super) arms: Vec<(usize, Block)>,
    pub(super) functions: Vec<AnyFunction>,
    /// Index ops, which are not computed: their users look through them.
    pub(super) indices: HashMap<Reg, Op>,
    /// Sums of a register and a constant.
    pub(super) sums: HashMap<Reg, (Reg, u32)>,
    variables: HashMap<Reg, Rc<[Variable]>>,
    /// The place of each array in the scratch memory, the bytes per gang, and the address of the current
    /// gang's.
    pub(super) arrays: HashMap<Reg, (u64, u64, Value)>,
    /// The places of variables between regions, in the scratch memory.
    pub(super) contexts: HashMap<Reg, u64>,
    pub(super) scratch: u64,
    /// The number of the gang.
    pub(super) gang: Value,
    /// The gang's place along the axes, in gangs along x, if gangs lie in rows.
    pub(super) place: Option<[Value; 3]>,
    /// The workgroup's id.
    pub(super) group: [Value; 3],
    /// The workgroup's place in its row of the chunk's grid.
    pub(super) column: Value,
    /// The number of workgroups left in the batch.
    pub(super) left: Variable,
    /// The number of workgroups that the loops over gangs run at once.
    pub(super) span: Variable,
    pub(super) budget: Variable,
    /// The places of loops with a budget, in the order of the statuses that name them.
    pub(super) loop_spans: Vec<naga::Span>,
    /// The number of operations that may still be emitted twice.
    pub(super) clones: usize,
    slots: HashMap<(&'static str, u32), StackSlot>,
    pub(super) signatures: HashMap<&'static str, SigRef>,
    regions: HashMap<u32, AliasRegion>,
}

/// Parts of memory that never overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Binding(usize),
    Workgroup,
    /// Arrays and contexts in the scratch memory.
    Private,
    /// Slots of the function's frame.
    Frame,
}

impl<'k, 'f> Emitter<'k, 'f> {
    pub(super) fn new(
        mut b: FunctionBuilder<'f>,
        compiled: &'k Compiled,
        fma: bool,
        args: Arguments,
    ) -> Emitter<'k, 'f> {
        let kernel = &compiled.code;
        let zero = b.ins().iconst(types::I32, 0);
        let budget = b.declare_var(types::I64);
        Emitter {
            b,
            kernel,
            shapes: &compiled.shapes,
            types: Types::of(kernel),
            liveness: &compiled.liveness,
            loose: &compiled.loose,
            fma,
            width: kernel.width,
            args,
            vals: HashMap::new(),
            scopes: vec![HashMap::new()],
            mask: Mask::Full,
            ended: false,
            frames: Vec::new(),
            arms: Vec::new(),
            functions: Vec::new(),
            indices: HashMap::new(),
            sums: HashMap::new(),
            variables: HashMap::new(),
            arrays: HashMap::new(),
            contexts: HashMap::new(),
            scratch: 0,
            gang: zero,
            place: None,
            column: zero,
            left: Variable::from_u32(0),
            span: Variable::from_u32(0),
            group: [zero; 3],
            budget,
            loop_spans: Vec::new(),
            clones: 100,
            slots: HashMap::new(),
            signatures: HashMap::new(),
            regions: HashMap::new(),
        }
    }

    pub(super) fn broken(&self, what: &str) -> Error {
        Error::Internal { place: "cpu::cranelift".to_owned(), cause: what.to_owned() }
    }

    pub(super) fn unsupported(&self, what: &str) -> Error {
        Error::Unsupported { what: format!("{what}, in the CPU's compiler"), at: String::new() }
    }

    // Blocks.

    pub(super) fn block(&mut self) -> Block {
        self.b.create_block()
    }

    /// Continues in a block to which no more branches will be added.
    pub(super) fn begin(&mut self, block: Block) {
        self.b.switch_to_block(block);
        self.b.seal_block(block);
        self.ended = false;
    }

    /// Continues in a loop's head, which is sealed when the loop is closed.
    pub(super) fn begin_loop(&mut self, block: Block) {
        self.b.switch_to_block(block);
        self.ended = false;
    }

    pub(super) fn branch(&mut self, block: Block) {
        if !self.ended {
            self.b.ins().jump(block, &[]);
            self.ended = true;
        }
    }

    pub(super) fn branch_if(&mut self, condition: Value, yes: Block, no: Block) {
        self.b.ins().brif(condition, yes, &[], no, &[]);
        self.ended = true;
    }

    // Memory.

    /// The flags of an access that never traps.
    pub(super) fn flags(&mut self, part: Part) -> MemFlagsData {
        let id = match part {
            Part::Workgroup => 0,
            Part::Private => 1,
            Part::Frame => 2,
            Part::Binding(id) => 3 + id as u32,
        };
        let regions = &mut self.b.func.dfg.alias_regions;
        let region = *self.regions.entry(id).or_insert_with(|| {
            regions.insert(AliasRegionData { user_id: id, description: "".into() })
        });
        MemFlagsData::new().with_notrap().with_alias_region(Some(region))
    }

    pub(super) fn part_of(memory: Memory) -> Part {
        match memory {
            Memory::Storage(binding) | Memory::Value(binding) => Part::Binding(binding),
            Memory::Workgroup => Part::Workgroup,
        }
    }

    /// The address of a slot of the frame, shared by all users of the name.
    pub(super) fn slot(&mut self, name: &'static str, bytes: u32) -> Value {
        let b = &mut self.b;
        let slot = *self.slots.entry((name, bytes)).or_insert_with(|| {
            b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 4))
        });
        self.b.ins().stack_addr(types::I64, slot, 0)
    }

    // Types.

    pub(super) fn quads(&self) -> usize {
        (self.width / QUAD) as usize
    }

    pub(super) fn ty(&self, ty: Ty, vector: bool) -> Type {
        match (ty, vector) {
            (Ty::Float, false) => types::F32,
            (Ty::Int, false) => types::I32,
            (Ty::Bool, false) => types::I8,
            (Ty::Float, true) => types::F32X4,
            (Ty::Int | Ty::Bool, true) => types::I32X4,
        }
    }

    // Values.

    pub(super) fn class(&self, reg: Reg) -> Class {
        match self.shapes.regs[reg as usize].class {
            Class::Unset => Class::Workgroup,
            class => class,
        }
    }

    pub(super) fn is_uniform(&self, reg: Reg) -> bool {
        self.class(reg) <= Class::Gang
    }

    pub(super) fn int(&mut self, value: u32) -> Value {
        self.b.ins().iconst(types::I32, i64::from(value))
    }

    pub(super) fn long(&mut self, value: u64) -> Value {
        self.b.ins().iconst(types::I64, value as i64)
    }

    /// Four words as one vector.
    pub(super) fn words(&mut self, words: [u32; 4], ty: Ty) -> Value {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let constant = self.b.func.dfg.constants.insert(ConstantData::from(&bytes[..]));
        let ty = self.ty(ty, true);
        self.b.ins().vconst(ty, constant)
    }

    /// A constant as vectors or a scalar.
    pub(super) fn number(&mut self, bits: u32, ty: Ty, vector: bool) -> Lanes {
        if vector {
            let bits = if ty == Ty::Bool && bits != 0 { u32::MAX } else { bits };
            let quad = self.words([bits; 4], ty);
            return vec![quad; self.quads()].into();
        }
        Rc::new([match ty {
            Ty::Float => self.b.ins().f32const(f32::from_bits(bits)),
            Ty::Int => self.int(bits),
            Ty::Bool => self.b.ins().iconst(types::I8, i64::from(bits != 0)),
        }])
    }

    pub(super) fn float(&mut self, value: f32, vector: bool) -> Lanes {
        self.number(value.to_bits(), Ty::Float, vector)
    }

    /// The lane's number times a step.
    pub(super) fn iota(&mut self, step: i32) -> Lanes {
        (0..self.quads() as i32)
            .map(|quad| {
                let lane = |k: i32| step.wrapping_mul(4 * quad + k) as u32;
                self.words([lane(0), lane(1), lane(2), lane(3)], Ty::Int)
            })
            .collect()
    }

    /// A scalar in all lanes.
    pub(super) fn splat(&mut self, scalar: Value, ty: Ty) -> Lanes {
        let scalar = if ty == Ty::Bool { self.b.ins().bmask(types::I32, scalar) } else { scalar };
        let vector = self.ty(ty, true);
        let quad = self.b.ins().splat(vector, scalar);
        vec![quad; self.quads()].into()
    }

    pub(super) fn map(
        &mut self,
        x: &Lanes,
        mut f: impl FnMut(&mut FunctionBuilder<'f>, Value) -> Value,
    ) -> Lanes {
        x.iter().map(|&x| f(&mut self.b, x)).collect()
    }

    pub(super) fn zip(
        &mut self,
        x: &Lanes,
        y: &Lanes,
        mut f: impl FnMut(&mut FunctionBuilder<'f>, Value, Value) -> Value,
    ) -> Lanes {
        x.iter().zip(y.iter()).map(|(&x, &y)| f(&mut self.b, x, y)).collect()
    }

    /// The same bits as another type.
    pub(super) fn cast(&mut self, value: Value, to: Type) -> Value {
        if self.b.func.dfg.value_type(value) == to {
            return value;
        }
        let little = MemFlagsData::new().with_endianness(cranelift_codegen::ir::Endianness::Little);
        self.b.ins().bitcast(to, little, value)
    }

    /// The same value as another type, by its bits.
    pub(super) fn convert(&mut self, value: &Lanes, from: Ty, to: Ty, vector: bool) -> Lanes {
        let bits = |this: &mut Self, lanes: &Lanes| -> Lanes {
            let ty = if vector { types::I32X4 } else { types::I32 };
            lanes.iter().map(|&lane| this.cast(lane, ty)).collect()
        };
        match (from, to) {
            _ if from == to => value.clone(),
            (Ty::Int, Ty::Float) | (Ty::Bool, Ty::Float) if vector => {
                value.iter().map(|&lane| self.cast(lane, types::F32X4)).collect()
            }
            (Ty::Float, Ty::Int) => bits(self, value),
            (Ty::Int, Ty::Float) => value.iter().map(|&lane| self.cast(lane, types::F32)).collect(),
            (Ty::Bool, Ty::Int) if vector => value.clone(),
            (Ty::Bool, _) => {
                let word = self.map(value, |b, x| b.ins().bmask(types::I32, x));
                self.convert(&word, Ty::Int, to, vector)
            }
            (_, _) => {
                let words = bits(self, value);
                let zero = self.number(0, Ty::Int, vector);
                self.zip(&words, &zero, |b, x, y| b.ins().icmp(IntCC::NotEqual, x, y))
            }
        }
    }

    pub(super) fn icmp(&mut self, cc: IntCC, x: &Lanes, y: &Lanes) -> Lanes {
        self.zip(x, y, |b, x, y| b.ins().icmp(cc, x, y))
    }

    pub(super) fn fcmp(&mut self, cc: FloatCC, x: &Lanes, y: &Lanes) -> Lanes {
        self.zip(x, y, |b, x, y| b.ins().fcmp(cc, x, y))
    }

    /// Selects one of two values in each lane.
    pub(super) fn select(&mut self, c: &Lanes, yes: &Lanes, no: &Lanes, vector: bool) -> Lanes {
        c.iter()
            .zip(yes.iter().zip(no.iter()))
            .map(|(&c, (&yes, &no))| {
                if !vector {
                    return self.b.ins().select(c, yes, no);
                }
                let ty = self.b.func.dfg.value_type(yes);
                let c = self.cast(c, ty);
                self.b.ins().bitselect(c, yes, no)
            })
            .collect()
    }

    /// Sets a register.
    pub(super) fn define(&mut self, reg: Reg, val: Val) {
        self.vals.insert(reg, val);
        for scope in &mut self.scopes {
            for vector in [false, true] {
                for ty in [Ty::Float, Ty::Int, Ty::Bool] {
                    scope.remove(&(reg, vector, ty));
                }
            }
        }
    }

    fn derived(&self, key: (Reg, bool, Ty)) -> Option<Lanes> {
        self.scopes.iter().rev().find_map(|scope| scope.get(&key).cloned())
    }

    fn derive(&mut self, key: (Reg, bool, Ty), lanes: &Lanes) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(key, lanes.clone());
        }
    }

    /// Begins a scope: vectors that are derived in it are forgotten at `leave`.
    pub(super) fn enter(&mut self) {
        self.scopes.push(HashMap::new());
    }

    pub(super) fn leave(&mut self) {
        self.scopes.pop();
    }

    /// A uniform register, or the first lane of a strided one.
    pub(super) fn scalar(&mut self, reg: Reg, ty: Ty) -> Result<Value> {
        if let Some(bits) = self.kernel.known(reg) {
            return Ok(self.number(bits, ty, false)[0]);
        }
        let key = (reg, false, ty);
        if let Some(lanes) = self.derived(key) {
            return Ok(lanes[0]);
        }
        let (value, from) = match self.vals.get(&reg) {
            Some(Val::Scalar(value, from)) => (*value, *from),
            Some(Val::Strided(value, _)) => (*value, Ty::Int),
            Some(Val::Vector(lanes, from)) => {
                let (first, from) = (lanes[0], *from);
                let value = self.b.ins().extractlane(first, 0);
                // A truth value from a vector is a word here.
                (value, if from == Ty::Bool { Ty::Int } else { from })
            }
            None => return Err(self.broken(&format!("r{reg} is used before it is set"))),
        };
        let lanes: Lanes = Rc::new([value]);
        let lanes = self.convert(&lanes, from, ty, false);
        self.derive(key, &lanes);
        Ok(lanes[0])
    }

    /// A register as vectors.
    pub(super) fn vector(&mut self, reg: Reg, ty: Ty) -> Result<Lanes> {
        if let Some(bits) = self.kernel.known(reg) {
            return Ok(self.number(bits, ty, true));
        }
        let key = (reg, true, ty);
        if let Some(lanes) = self.derived(key) {
            return Ok(lanes);
        }
        let lanes = match self.vals.get(&reg).cloned() {
            Some(Val::Vector(lanes, from)) => self.convert(&lanes, from, ty, true),
            // One instruction broadcasts a word from memory to all lanes.
            Some(Val::Scalar(value, Ty::Int)) if ty == Ty::Float => {
                let lanes = self.splat(value, Ty::Int);
                self.convert(&lanes, Ty::Int, ty, true)
            }
            Some(Val::Scalar(..)) => {
                let scalar = self.scalar(reg, ty)?;
                self.splat(scalar, ty)
            }
            Some(Val::Strided(base, step)) => {
                let first = self.splat(base, Ty::Int);
                let iota = self.iota(step);
                let lanes = self.zip(&first, &iota, |b, x, y| b.ins().iadd(x, y));
                self.convert(&lanes, Ty::Int, ty, true)
            }
            None => return Err(self.broken(&format!("r{reg} is used before it is set"))),
        };
        self.derive(key, &lanes);
        Ok(lanes)
    }

    /// A register as vectors or a scalar.
    pub(super) fn get(&mut self, reg: Reg, ty: Ty, vector: bool) -> Result<Lanes> {
        if vector { self.vector(reg, ty) } else { Ok(Rc::new([self.scalar(reg, ty)?])) }
    }

    // Variables.

    /// The representation of a variable.
    pub(super) fn variable_type(&self, var: Reg) -> (Ty, bool) {
        let ty = self.types.of_reg(var);
        match self.class(var) {
            Class::Strided(_) => (Ty::Int, false),
            class if class <= Class::Gang => (ty, false),
            _ => (ty, true),
        }
    }

    pub(super) fn declare(&mut self, ty: Ty, vector: bool) -> Rc<[Variable]> {
        let ty = self.ty(ty, vector);
        let count = if vector { self.quads() } else { 1 };
        (0..count).map(|_| self.b.declare_var(ty)).collect()
    }

    fn variables(&mut self, var: Reg) -> Rc<[Variable]> {
        if let Some(known) = self.variables.get(&var) {
            return known.clone();
        }
        let (ty, vector) = self.variable_type(var);
        let made = self.declare(ty, vector);
        self.variables.insert(var, made.clone());
        made
    }

    pub(super) fn read_slots(&mut self, slots: &[Variable]) -> Lanes {
        slots.iter().map(|&slot| self.b.use_var(slot)).collect()
    }

    pub(super) fn write_slots(&mut self, slots: &[Variable], lanes: &Lanes) {
        for (&slot, &lane) in slots.iter().zip(lanes.iter()) {
            self.b.def_var(slot, lane);
        }
    }

    /// The current value of a variable.
    pub(super) fn load_variable(&mut self, var: Reg) -> Val {
        let (ty, vector) = self.variable_type(var);
        let lanes = self.raw_variable(var);
        match self.class(var) {
            Class::Strided(step) => Val::Strided(lanes[0], step),
            _ if vector => Val::Vector(lanes, ty),
            _ => Val::Scalar(lanes[0], ty),
        }
    }

    pub(super) fn raw_variable(&mut self, var: Reg) -> Lanes {
        let slots = self.variables(var);
        self.read_slots(&slots)
    }

    pub(super) fn set_raw_variable(&mut self, var: Reg, lanes: &Lanes) {
        let slots = self.variables(var);
        self.write_slots(&slots, lanes);
    }

    /// Sets a variable in the executing lanes.
    pub(super) fn store_variable(&mut self, var: Reg, value: Reg) -> Result<()> {
        let (ty, vector) = self.variable_type(var);
        let mut new = self.get(value, ty, vector)?;
        if vector
            && !self.loose.contains(&var)
            && let Mask::Some(mask) = self.mask.clone()
        {
            let old = self.raw_variable(var);
            new = self.select(&mask, &new, &old, true);
        }
        self.set_raw_variable(var, &new);
        Ok(())
    }

    // Masks.

    /// The mask as vectors.
    pub(super) fn mask_vector(&mut self) -> Lanes {
        match self.mask.clone() {
            Mask::Full => self.number(u32::MAX, Ty::Bool, true),
            Mask::Some(mask) => mask,
        }
    }

    /// The empty mask.
    pub(super) fn nobody(&mut self) -> Mask {
        Mask::Some(self.number(0, Ty::Bool, true))
    }

    /// The bits of a mask, as an i64.
    pub(super) fn bits(&mut self, mask: &Lanes) -> Value {
        let mut bits: Option<Value> = None;
        for (quad, &lanes) in mask.iter().enumerate() {
            let four = self.b.ins().vhigh_bits(types::I64, lanes);
            bits = Some(match bits {
                None => four,
                Some(bits) => {
                    let up = self.b.ins().ishl_imm_u(four, i64::from(QUAD) * quad as i64);
                    self.b.ins().bor(bits, up)
                }
            });
        }
        bits.unwrap_or_else(|| self.long(0))
    }

    fn fold(&mut self, lanes: &Lanes, and: bool) -> Value {
        let mut folded = lanes[0];
        for &lane in &lanes[1..] {
            folded =
                if and { self.b.ins().band(folded, lane) } else { self.b.ins().bor(folded, lane) };
        }
        folded
    }

    pub(super) fn any(&mut self, mask: &Lanes) -> Value {
        let folded = self.fold(mask, false);
        self.b.ins().vany_true(folded)
    }

    pub(super) fn all(&mut self, mask: &Lanes) -> Value {
        let folded = self.fold(mask, true);
        self.b.ins().vall_true(folded)
    }

    pub(super) fn and(&mut self, a: &Lanes, b: &Lanes) -> Lanes {
        self.zip(a, b, |build, a, b| build.ins().band(a, b))
    }

    /// The lanes of `a` that are not in `b`.
    pub(super) fn and_not(&mut self, a: &Lanes, b: &Lanes) -> Lanes {
        self.zip(a, b, |build, a, b| build.ins().band_not(a, b))
    }

    /// The conjunction of both; the first may be missing.
    pub(super) fn both(&mut self, a: Option<Value>, b: Value) -> Value {
        match a {
            None => b,
            Some(a) => self.b.ins().band(a, b),
        }
    }
}
