//! The SPMD form as textual LLVM IR: values, variables, masks, and the frame of the function.
//!
//! A uniform value is a scalar. A strided value is its first lane's value, and becomes a vector where one is
//! needed. Other values are vectors of the gang's width. A vector that is derived from a scalar is known only
//! inside the region that derived it, so that its definition dominates every use. Control flow is in
//! `emit_flow`, operations in `emit_ops`, memory in `emit_memory`.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use crate::cpu::compiled::{AnyFunction, Needs};
use crate::cpu::interpreter::bytecode::{Builtin, Op};
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::Compiled;
use crate::cpu::spmd::ir::{Kernel, Target};
use crate::cpu::spmd::liveness::Liveness;
use crate::cpu::spmd::shape::{Class, Shapes};
use crate::cpu::spmd::types::{Ty, Types};
use crate::error::{Error, Result};

/// The operations for which the machine has instructions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Features {
    pub(super) fma: bool,
    pub(super) f16c: bool,
}

/// A kernel as text, with its needs at run time.
#[derive(Debug)]
pub(super) struct Emitted {
    pub(super) text: String,
    pub(super) needs: Needs,
}

/// The representation of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Val {
    Scalar(String, Ty),
    /// The first lane's value, and the step.
    Strided(String, i32),
    Vector(String, Ty),
}

/// The mask: the lanes that execute.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Mask {
    Full,
    Some(String),
}

/// A loop or switch around the code that is being emitted.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) target: Option<Target>,
    pub(super) masked: bool,
    /// The target of `continue`.
    pub(super) next: String,
    /// The target of `break`.
    pub(super) exit: String,
    /// Slots of the masks of the lanes still in it, and of those still in this iteration.
    pub(super) live: String,
    pub(super) active: String,
    /// Whether a lane may have continued so far.
    pub(super) continued: bool,
}

pub(super) struct Emitter<'k> {
    pub(super) kernel: &'k Kernel,
    pub(super) shapes: &'k Shapes,
    pub(super) types: Types,
    pub(super) liveness: &'k Liveness,
    /// Variables that can be set without a mask.
    pub(super) loose: &'k HashSet<Reg>,
    pub(super) features: Features,
    pub(super) width: u32,
    /// Allocas and constants.
    pub(super) entry: String,
    pub(super) out: String,
    next: u32,
    pub(super) vals: HashMap<Reg, Val>,
    scopes: Vec<HashMap<(Reg, bool, Ty), String>>,
    constants: HashMap<(u32, Ty), String>,
    iotas: HashMap<i32, String>,
    pub(super) mask: Mask,
    /// The lanes that the gang has at all.
    pub(super) exists: Mask,
    /// Whether the current block has its terminator.
    pub(super) ended: bool,
    pub(super) frames: Vec<Frame>,
    /// Divergent branches around the code that is being emitted: the number of frames outside, and the label at
    /// the branch's end.
    pub(super) arms: Vec<(usize, String)>,
    pub(super) functions: Vec<AnyFunction>,
    /// Index ops, which are not computed: their users look through them.
    pub(super) indices: HashMap<Reg, Op>,
    /// Planes of variables that have a slot.
    slots: HashMap<Reg, ()>,
    /// The pointer of each array, and its place and size in the scratch memory.
    pub(super) arrays: HashMap<Reg, (String, Option<(u64, u64)>)>,
    /// The places of variables between regions, in the scratch memory.
    pub(super) contexts: HashMap<Reg, u64>,
    pub(super) scratch: u64,
    /// The number of the gang, as an i32 value.
    pub(super) gang: String,
    /// The gang's place in its row, its row and its slice, if gangs are parts of rows.
    pub(super) place: Option<[String; 3]>,
    /// The places of loops with a budget, in the order of the statuses that name them.
    pub(super) loop_spans: Vec<naga::Span>,
    /// The number of operations that may still be emitted twice.
    pub(super) clones: usize,
    /// Slots that operations share.
    pub(super) shared: HashMap<&'static str, ()>,
}

/// A float from its bits, as LLVM writes it.
pub(super) fn float_literal(bits: u32) -> String {
    format!("0x{:016X}", f64::from(f32::from_bits(bits)).to_bits())
}

impl<'k> Emitter<'k> {
    pub(super) fn new(compiled: &'k Compiled, features: Features) -> Emitter<'k> {
        let kernel = &compiled.code;
        Emitter {
            kernel,
            shapes: &compiled.shapes,
            types: Types::of(kernel),
            liveness: &compiled.liveness,
            loose: &compiled.loose,
            features,
            width: kernel.width,
            entry: String::new(),
            out: String::new(),
            next: 0,
            vals: HashMap::new(),
            scopes: vec![HashMap::new()],
            constants: HashMap::new(),
            iotas: HashMap::new(),
            mask: Mask::Full,
            exists: Mask::Full,
            ended: false,
            frames: Vec::new(),
            arms: Vec::new(),
            loop_spans: Vec::new(),
            functions: Vec::new(),
            indices: HashMap::new(),
            slots: HashMap::new(),
            arrays: HashMap::new(),
            contexts: HashMap::new(),
            scratch: 0,
            gang: "0".to_owned(),
            place: None,
            clones: 3000,
            shared: HashMap::new(),
        }
    }

    pub(super) fn broken(&self, what: &str) -> Error {
        Error::Internal { place: "cpu::llvm".to_owned(), cause: what.to_owned() }
    }

    pub(super) fn unsupported(&self, what: &str) -> Error {
        Error::Unsupported { what: format!("{what}, in the CPU's compiler"), at: String::new() }
    }

    // Text.

    pub(super) fn fresh(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}{}", self.next)
    }

    /// An instruction with a result.
    pub(super) fn ins(&mut self, text: &str) -> String {
        let name = self.fresh("%t");
        let _ = writeln!(self.out, "  {name} = {text}");
        name
    }

    /// An instruction without one.
    pub(super) fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "  {text}");
    }

    /// A slot in the frame, with the alignment of the widest vector.
    pub(super) fn alloca(&mut self, name: &str, ty: &str) {
        let align = self.pointer_align();
        let _ = writeln!(self.entry, "  {name} = alloca {ty}, align {align}");
    }

    /// The alignment of a vector of pointers, which is the widest.
    fn pointer_align(&self) -> u32 {
        (self.width * 8).max(64)
    }

    /// The alignment of rows of words in the scratch memory.
    pub(super) fn row_align(&self) -> u32 {
        (self.width * 4).min(64)
    }

    /// An integer of another size.
    pub(super) fn resized(&mut self, value: &str, from: u32, to: u32) -> String {
        match from.cmp(&to) {
            std::cmp::Ordering::Less => self.ins(&format!("zext i{from} {value} to i{to}")),
            std::cmp::Ordering::Equal => value.to_owned(),
            std::cmp::Ordering::Greater => self.ins(&format!("trunc i{from} {value} to i{to}")),
        }
    }

    /// A new label, without its `%`.
    pub(super) fn label(&mut self) -> String {
        self.fresh("L")
    }

    pub(super) fn begin(&mut self, label: &str) {
        let _ = writeln!(self.out, "{label}:");
        self.ended = false;
    }

    pub(super) fn branch(&mut self, label: &str) {
        if !self.ended {
            self.line(&format!("br label %{label}"));
            self.ended = true;
        }
    }

    pub(super) fn branch_if(&mut self, condition: &str, yes: &str, no: &str) {
        self.line(&format!("br i1 {condition}, label %{yes}, label %{no}"));
        self.ended = true;
    }

    pub(super) fn ty(&self, ty: Ty, vector: bool) -> String {
        let scalar = match ty {
            Ty::Float => "float",
            Ty::Int => "i32",
            Ty::Bool => "i1",
        };
        if vector { format!("<{} x {scalar}>", self.width) } else { scalar.to_owned() }
    }

    /// The suffix of an intrinsic's name.
    pub(super) fn suffix(&self, ty: Ty, vector: bool) -> String {
        let scalar = match ty {
            Ty::Float => "f32",
            Ty::Int => "i32",
            Ty::Bool => "i1",
        };
        if vector { format!("v{}{scalar}", self.width) } else { scalar.to_owned() }
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

    fn literal(&self, bits: u32, ty: Ty) -> String {
        match ty {
            Ty::Float => float_literal(bits),
            Ty::Int => (bits as i32).to_string(),
            Ty::Bool => (bits != 0).to_string(),
        }
    }

    /// A vector with one value in all lanes, made in the entry block.
    pub(super) fn constant(&mut self, bits: u32, ty: Ty) -> String {
        if bits == 0 {
            return "zeroinitializer".to_owned();
        }
        if let Some(name) = self.constants.get(&(bits, ty)) {
            return name.clone();
        }
        let name = self.fresh("%c");
        let (scalar, vector) = (self.ty(ty, false), self.ty(ty, true));
        let literal = self.literal(bits, ty);
        let _ = writeln!(
            self.entry,
            "  {name}.s = insertelement {vector} undef, {scalar} {literal}, i32 0\n  \
             {name} = shufflevector {vector} {name}.s, {vector} undef, <{} x i32> zeroinitializer",
            self.width
        );
        self.constants.insert((bits, ty), name.clone());
        name
    }

    /// The lane's number times a step, as a constant.
    pub(super) fn iota(&mut self, step: i32) -> String {
        if let Some(text) = self.iotas.get(&step) {
            return text.clone();
        }
        let lanes: Vec<String> =
            (0..self.width as i32).map(|lane| format!("i32 {}", lane.wrapping_mul(step))).collect();
        let text = format!("<{}>", lanes.join(", "));
        self.iotas.insert(step, text.clone());
        text
    }

    /// A scalar in all lanes.
    pub(super) fn splat(&mut self, scalar: &str, ty: Ty) -> String {
        let (one, all) = (self.ty(ty, false), self.ty(ty, true));
        let first = self.ins(&format!("insertelement {all} undef, {one} {scalar}, i32 0"));
        self.ins(&format!(
            "shufflevector {all} {first}, {all} undef, <{} x i32> zeroinitializer",
            self.width
        ))
    }

    /// The same value as another type, by its bits.
    pub(super) fn convert(&mut self, value: &str, from: Ty, to: Ty, vector: bool) -> String {
        let (a, b) = (self.ty(from, vector), self.ty(to, vector));
        let int = self.ty(Ty::Int, vector);
        let zero = if vector { "zeroinitializer" } else { "0" };
        match (from, to) {
            _ if from == to => value.to_owned(),
            (Ty::Int, Ty::Float) | (Ty::Float, Ty::Int) => {
                self.ins(&format!("bitcast {a} {value} to {b}"))
            }
            (Ty::Bool, Ty::Int) => self.ins(&format!("sext {a} {value} to {b}")),
            (Ty::Bool, _) => {
                let word = self.ins(&format!("sext {a} {value} to {int}"));
                self.ins(&format!("bitcast {int} {word} to {b}"))
            }
            (Ty::Int, _) => self.ins(&format!("icmp ne {int} {value}, {zero}")),
            (Ty::Float, _) => {
                let word = self.ins(&format!("bitcast {a} {value} to {int}"));
                self.ins(&format!("icmp ne {int} {word}, {zero}"))
            }
        }
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

    fn derived(&self, key: (Reg, bool, Ty)) -> Option<String> {
        self.scopes.iter().rev().find_map(|scope| scope.get(&key).cloned())
    }

    fn derive(&mut self, key: (Reg, bool, Ty), name: &str) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(key, name.to_owned());
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
    pub(super) fn scalar(&mut self, reg: Reg, ty: Ty) -> Result<String> {
        if let Some(bits) = self.kernel.known(reg) {
            return Ok(self.literal(bits, ty));
        }
        let key = (reg, false, ty);
        if let Some(name) = self.derived(key) {
            return Ok(name);
        }
        let (name, from) = match self.vals.get(&reg) {
            Some(Val::Scalar(name, from)) => (name.clone(), *from),
            Some(Val::Strided(name, _)) => (name.clone(), Ty::Int),
            Some(Val::Vector(name, from)) => {
                let (name, from) = (name.clone(), *from);
                let all = self.ty(from, true);
                (self.ins(&format!("extractelement {all} {name}, i32 0")), from)
            }
            None => return Err(self.broken(&format!("r{reg} is used before it is set"))),
        };
        let name = self.convert(&name, from, ty, false);
        self.derive(key, &name);
        Ok(name)
    }

    /// A register as a vector.
    pub(super) fn vector(&mut self, reg: Reg, ty: Ty) -> Result<String> {
        if let Some(bits) = self.kernel.known(reg) {
            return Ok(self.constant(bits, ty));
        }
        let key = (reg, true, ty);
        if let Some(name) = self.derived(key) {
            return Ok(name);
        }
        let name = match self.vals.get(&reg).cloned() {
            Some(Val::Vector(name, from)) => self.convert(&name, from, ty, true),
            Some(Val::Scalar(..)) => {
                let scalar = self.scalar(reg, ty)?;
                self.splat(&scalar, ty)
            }
            Some(Val::Strided(base, step)) => {
                let first = self.splat(&base, Ty::Int);
                let int = self.ty(Ty::Int, true);
                let iota = self.iota(step);
                let lanes = self.ins(&format!("add {int} {first}, {iota}"));
                self.convert(&lanes, Ty::Int, ty, true)
            }
            None => return Err(self.broken(&format!("r{reg} is used before it is set"))),
        };
        self.derive(key, &name);
        Ok(name)
    }

    /// A register as a vector or a scalar.
    pub(super) fn get(&mut self, reg: Reg, ty: Ty, vector: bool) -> Result<String> {
        if vector { self.vector(reg, ty) } else { self.scalar(reg, ty) }
    }

    // Variables.

    /// The type of a variable's slot.
    fn slot_type(&self, var: Reg) -> (Ty, bool) {
        let ty = self.types.of_reg(var);
        match self.class(var) {
            Class::Strided(_) => (Ty::Int, false),
            class if class <= Class::Gang => (ty, false),
            _ => (ty, true),
        }
    }

    pub(super) fn slot(&mut self, var: Reg) -> String {
        let name = format!("%v{var}");
        if self.slots.insert(var, ()).is_none() {
            let (ty, vector) = self.slot_type(var);
            let ty = self.ty(ty, vector);
            self.alloca(&name, &ty);
        }
        name
    }

    /// The current value of a variable.
    pub(super) fn load_variable(&mut self, var: Reg) -> Val {
        let slot = self.slot(var);
        let (ty, vector) = self.slot_type(var);
        let text = self.ty(ty, vector);
        let name = self.ins(&format!("load {text}, ptr {slot}"));
        match self.class(var) {
            Class::Strided(step) => Val::Strided(name, step),
            _ if vector => Val::Vector(name, ty),
            _ => Val::Scalar(name, ty),
        }
    }

    /// Sets a variable in the executing lanes.
    pub(super) fn store_variable(&mut self, var: Reg, value: Reg) -> Result<()> {
        let slot = self.slot(var);
        let (ty, vector) = self.slot_type(var);
        let text = self.ty(ty, vector);
        let mut new = self.get(value, ty, vector)?;
        if vector
            && !self.loose.contains(&var)
            && let Mask::Some(mask) = self.mask.clone()
        {
            let old = self.ins(&format!("load {text}, ptr {slot}"));
            let lanes = self.ty(Ty::Bool, true);
            new = self.ins(&format!("select {lanes} {mask}, {text} {new}, {text} {old}"));
        }
        self.line(&format!("store {text} {new}, ptr {slot}"));
        Ok(())
    }

    /// A slot of the frame that several operations share.
    pub(super) fn shared_slot(&mut self, name: &'static str, ty: &str) -> &'static str {
        if self.shared.insert(name, ()).is_none() {
            self.alloca(name, ty);
        }
        name
    }

    // Masks.

    /// The mask as a vector.
    pub(super) fn mask_vector(&mut self) -> String {
        match self.mask.clone() {
            Mask::Full => self.constant(u32::MAX, Ty::Bool),
            Mask::Some(name) => name,
        }
    }

    /// The bits of a mask.
    pub(super) fn bits(&mut self, mask: &str) -> String {
        let lanes = self.ty(Ty::Bool, true);
        self.ins(&format!("bitcast {lanes} {mask} to i{}", self.width))
    }

    pub(super) fn any(&mut self, mask: &str) -> String {
        let bits = self.bits(mask);
        self.ins(&format!("icmp ne i{} {bits}, 0", self.width))
    }

    pub(super) fn all(&mut self, mask: &str) -> String {
        let bits = self.bits(mask);
        self.ins(&format!("icmp eq i{} {bits}, -1", self.width))
    }

    pub(super) fn and(&mut self, a: &str, b: &str) -> String {
        let lanes = self.ty(Ty::Bool, true);
        self.ins(&format!("and {lanes} {a}, {b}"))
    }

    /// The lanes of `a` that are not in `b`.
    pub(super) fn and_not(&mut self, a: &str, b: &str) -> String {
        let lanes = self.ty(Ty::Bool, true);
        let all = self.constant(u32::MAX, Ty::Bool);
        let not = self.ins(&format!("xor {lanes} {b}, {all}"));
        self.ins(&format!("and {lanes} {a}, {not}"))
    }

    // Built-in values.

    /// Values that are uniform in the workgroup; `%wg0` to `%wg2` hold its id.
    pub(super) fn workgroup_builtins(&mut self) {
        let mut builtins: Vec<(Reg, Builtin)> =
            self.kernel.builtins.iter().map(|(&reg, &builtin)| (reg, builtin)).collect();
        builtins.sort_by_key(|(reg, _)| *reg);
        for (reg, builtin) in builtins {
            let name = match builtin {
                Builtin::WorkgroupId(axis) => format!("%wg{axis}"),
                Builtin::NumWorkgroups(axis) => format!("%grid{axis}"),
                // The workgroup is one invocation wide along this axis.
                Builtin::LocalId(_) if self.class(reg) <= Class::Workgroup => "0".to_owned(),
                Builtin::GlobalId(axis) if self.class(reg) <= Class::Workgroup => {
                    format!("%wg{axis}")
                }
                _ => continue,
            };
            self.define(reg, Val::Scalar(name, Ty::Int));
        }
    }

    /// Values that differ from gang to gang.
    pub(super) fn gang_builtins(&mut self) {
        let mut builtins: Vec<(Reg, Builtin)> =
            self.kernel.builtins.iter().map(|(&reg, &builtin)| (reg, builtin)).collect();
        builtins.sort_by_key(|(reg, _)| *reg);
        for (reg, builtin) in builtins {
            if self.class(reg) <= Class::Workgroup {
                continue;
            }
            let val = match builtin {
                Builtin::LocalIndex => {
                    let (gang, width) = (self.gang.clone(), self.width);
                    Val::Strided(self.ins(&format!("mul nuw nsw i32 {gang}, {width}")), 1)
                }
                Builtin::SubgroupInvocationId => Val::Strided("0".to_owned(), 1),
                Builtin::SubgroupId => Val::Scalar(self.gang.clone(), Ty::Int),
                Builtin::LocalId(axis) => self.local_id(axis),
                Builtin::GlobalId(axis) => {
                    let local = self.local_id(axis);
                    let size = self.kernel.extent(axis);
                    let first = self.ins(&format!("mul i32 %wg{axis}, {size}"));
                    match local {
                        Val::Scalar(name, ty) => {
                            Val::Scalar(self.ins(&format!("add i32 {first}, {name}")), ty)
                        }
                        Val::Strided(name, step) => {
                            Val::Strided(self.ins(&format!("add i32 {first}, {name}")), step)
                        }
                        Val::Vector(name, ty) => {
                            let first = self.splat(&first, Ty::Int);
                            let int = self.ty(Ty::Int, true);
                            Val::Vector(self.ins(&format!("add {int} {first}, {name}")), ty)
                        }
                    }
                }
                _ => continue,
            };
            self.define(reg, val);
        }
    }

    /// The coordinate in the workgroup, in the form that `shape` promised.
    fn local_id(&mut self, axis: u8) -> Val {
        let [x, y, z] = self.kernel.workgroup_size;
        let (gang, width) = (self.gang.clone(), self.width);
        let extents = [x, y, z];
        if y * z == 1 && axis == 0 {
            return Val::Strided(self.ins(&format!("mul nuw nsw i32 {gang}, {width}")), 1);
        }
        if extents[axis as usize] == 1 {
            return Val::Scalar("0".to_owned(), Ty::Int);
        }
        if let Some([part, row, slice]) = self.place.clone() {
            return match axis {
                0 if part == "0" => Val::Strided(part, 1),
                0 => Val::Strided(self.ins(&format!("mul nuw nsw i32 {part}, {width}")), 1),
                1 => Val::Scalar(row, Ty::Int),
                _ => Val::Scalar(slice, Ty::Int),
            };
        }
        if axis == 2 && (x * y).is_multiple_of(width) {
            let slice = self.ins(&format!("udiv i32 {gang}, {}", x * y / width));
            return Val::Scalar(slice, Ty::Int);
        }
        let int = self.ty(Ty::Int, true);
        let first = self.ins(&format!("mul nuw nsw i32 {gang}, {width}"));
        let first = self.splat(&first, Ty::Int);
        let iota = self.iota(1);
        let mut lanes = self.ins(&format!("add nuw nsw {int} {first}, {iota}"));
        let before: u32 = extents[..axis as usize].iter().product();
        if before > 1 {
            let by = self.constant(before, Ty::Int);
            lanes = self.ins(&format!("udiv {int} {lanes}, {by}"));
        }
        if axis < 2 {
            let by = self.constant(extents[axis as usize], Ty::Int);
            lanes = self.ins(&format!("urem {int} {lanes}, {by}"));
        }
        Val::Vector(lanes, Ty::Int)
    }
}
