//! The frame around a kernel's body: arguments, the loop over workgroups, memory between regions.
//!
//! The generated function runs a range of workgroups of a chunk, in linear order. Values that one region of
//! gangs leaves for another are in scratch memory that the calling thread lends.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block, InstBuilder, MemFlagsData, Signature, Type, Value, types,
};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::{FunctionBuilder, Variable};

use super::emit::{Arguments, Emitter, Frame, Part, Val};
use crate::cpu::compiled::{Needs, Word};
use crate::cpu::interpreter::bytecode::{Builtin, Op};
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::Compiled;
use crate::cpu::spmd::ir::{Node, Region};
use crate::cpu::spmd::liveness::{Access, access};
use crate::cpu::spmd::shape::Class;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;
use crate::kernel::Kernel as Source;

/// The signature of the generated function: arguments, first workgroup of the chunk, number of workgroups,
/// scratch memory.
pub(super) fn signature(isa: &dyn TargetIsa) -> Signature {
    let mut signature = Signature::new(isa.default_call_conv());
    signature.params.extend([AbiParam::new(types::I64); 4]);
    signature.returns.push(AbiParam::new(types::I32));
    signature
}

/// Writes a kernel as the body of a function with that signature.
pub(super) fn emit(
    source: &Source,
    compiled: &Compiled,
    fma: bool,
    mut b: FunctionBuilder<'_>,
    isa: &dyn TargetIsa,
) -> Result<Needs> {
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    b.seal_block(entry);
    let (args, first, count) = arguments(source, &mut b, entry);
    let kernel = &compiled.code;
    let mut emitter = Emitter::new(b, compiled, fma, args);
    let workgroup_bytes = (kernel.workgroup_words * 4).next_multiple_of(64);
    emitter.scratch = workgroup_bytes;
    emitter.place_arrays();
    emitter.launch_values();
    for op in &kernel.preamble {
        match op {
            Op::Load(access) => emitter.load(access)?,
            op => emitter.pure(op)?,
        }
    }
    emitter.workgroups(first, count, workgroup_bytes)?;
    let Emitter { b, functions, scratch, loop_spans: loops, .. } = emitter;
    b.finalize(isa.frontend_config());
    Ok(Needs { functions, scratch, loops })
}

/// Reads the arguments of a launch.
fn arguments(
    source: &Source,
    b: &mut FunctionBuilder<'_>,
    entry: Block,
) -> (Arguments, Value, Value) {
    let [words, first, count, scratch] = [0, 1, 2, 3].map(|k| b.block_params(entry)[k]);
    let constant = MemFlagsData::trusted().with_readonly().with_can_move();
    let mut word =
        |ty: Type, word: Word| b.ins().load(ty, constant, words, 8 * word.index() as i32);
    let mut args = Arguments {
        functions: word(types::I64, Word::Functions),
        budget: word(types::I64, Word::Budget),
        scratch,
        grid: [0, 1, 2].map(|axis| word(types::I32, Word::Grid(axis))),
        first: [0, 1, 2].map(|axis| word(types::I32, Word::First(axis))),
        count: [0, 1, 2].map(|axis| word(types::I32, Word::Count(axis))),
        bindings: Vec::new(),
    };
    for id in 0..source.signature().bindings.len() {
        let length = word(types::I32, Word::Elements(id));
        args.bindings.push((word(types::I64, Word::Pointer(id)), length, length));
    }
    for binding in &mut args.bindings {
        let most = b.ins().iconst(types::I32, 1 << 31);
        binding.2 = b.ins().umin(binding.1, most);
    }
    (args, first, count)
}

impl Emitter<'_, '_> {
    /// Whether values must outlive a loop over gangs.
    fn split(&self) -> bool {
        self.kernel.is_split()
    }

    /// Assigns memory to arrays.
    fn place_arrays(&mut self) {
        let row = u64::from(self.width) * 4;
        let copies = if self.split() { self.kernel.gangs() } else { 1 };
        for array in self.kernel.arrays.clone() {
            let bytes = u64::from(array.count) * row;
            let at = self.scratch;
            self.scratch += bytes * copies;
            let start = self.args.scratch;
            self.arrays.insert(array.first, (at, bytes, start));
        }
        self.scratch = self.scratch.next_multiple_of(64);
    }

    /// The address of a gang's part of the scratch memory.
    fn part_of_gang(&mut self, at: u64, bytes: u64) -> Value {
        let mut start = self.args.scratch;
        if self.split() {
            let gang = self.b.ins().uextend(types::I64, self.gang);
            let bytes = self.long(bytes);
            let part = self.b.ins().imul(gang, bytes);
            start = self.b.ins().iadd(start, part);
        }
        let at = self.long(at);
        self.b.ins().iadd(start, at)
    }

    /// Sets the addresses of the arrays of the next gang.
    fn gang_arrays(&mut self) {
        for array in self.kernel.arrays.clone() {
            if let Some(&(at, bytes, _)) = self.arrays.get(&array.first) {
                let start = self.part_of_gang(at, bytes);
                self.arrays.insert(array.first, (at, bytes, start));
            }
        }
    }

    fn builtins(&self) -> Vec<(Reg, Builtin)> {
        let mut builtins: Vec<(Reg, Builtin)> =
            self.kernel.builtins.iter().map(|(&reg, &builtin)| (reg, builtin)).collect();
        builtins.sort_by_key(|(reg, _)| *reg);
        builtins
    }

    /// Values that are uniform in the launch.
    fn launch_values(&mut self) {
        for (reg, builtin) in self.builtins() {
            let value = match builtin {
                Builtin::NumWorkgroups(axis) => self.args.grid[axis as usize],
                // A gang is a subgroup.
                Builtin::NumSubgroups => self.int(self.kernel.gangs() as u32),
                Builtin::SubgroupSize => self.int(self.width),
                _ => continue,
            };
            self.define(reg, Val::Scalar(value, Ty::Int));
        }
    }

    /// The loop over workgroups.
    fn workgroups(&mut self, first: Value, count: Value, workgroup_bytes: u64) -> Result<()> {
        let place: [Variable; 3] = [0; 3].map(|_| self.b.declare_var(types::I32));
        self.left = self.b.declare_var(types::I64);
        self.span = self.b.declare_var(types::I32);
        let left = self.left;
        let (head, body, advance, done) = (self.block(), self.block(), self.block(), self.block());
        // Without workgroups there is no division: the counts may be zero then.
        let start = self.block();
        self.branch_if(count, start, done);
        self.begin(start);
        let [columns, rows] = [0, 1].map(|axis| {
            let count = self.args.count[axis];
            self.b.ins().uextend(types::I64, count)
        });
        let rest = self.b.ins().udiv(first, columns);
        let at = [
            self.b.ins().urem(first, columns),
            self.b.ins().urem(rest, rows),
            self.b.ins().udiv(rest, rows),
        ];
        for (axis, at) in at.into_iter().enumerate() {
            let at = self.b.ins().ireduce(types::I32, at);
            self.b.def_var(place[axis], at);
        }
        self.b.def_var(left, count);
        self.branch(head);
        self.begin_loop(head);
        for (axis, &place) in place.iter().enumerate() {
            let mut at = self.b.use_var(place);
            if axis == 0 {
                self.column = at;
            }
            if axis == 0 && self.kernel.packed > 1 {
                let packed = self.int(self.kernel.packed);
                at = self.b.ins().imul(at, packed);
            }
            self.group[axis] = self.b.ins().iadd(at, self.args.first[axis]);
        }
        let budget = self.args.budget;
        self.b.def_var(self.budget, budget);
        let one = self.int(1);
        self.b.def_var(self.span, one);
        if workgroup_bytes > 0 {
            let memory = self.args.scratch;
            self.zero(memory, workgroup_bytes, Part::Workgroup);
        }
        self.workgroup_builtins();
        let none: std::rc::Rc<[Variable]> = std::rc::Rc::new([]);
        self.frames.push(Frame {
            target: None,
            masked: false,
            next: body,
            exit: body,
            live: none.clone(),
            active: none,
            continued: false,
        });
        let region: &Region = &self.kernel.body;
        if self.spans() && matches!(region.nodes[..], [Node::Gangs { .. }]) {
            self.whole_span();
        }
        self.region(region)?;
        self.branch(body);
        self.begin(body);
        let now = self.b.use_var(left);
        let span = self.b.use_var(self.span);
        let done_now = self.b.ins().uextend(types::I64, span);
        let next = self.b.ins().isub(now, done_now);
        self.b.def_var(left, next);
        self.branch_if(next, advance, done);
        self.begin(advance);
        let mut carry = span;
        for (axis, &place) in place.iter().enumerate() {
            let at = self.b.use_var(place);
            let next = self.b.ins().iadd(at, carry);
            if axis == 2 {
                self.b.def_var(place, next);
                break;
            }
            let wraps = self.b.ins().icmp(IntCC::Equal, next, self.args.count[axis]);
            let zero = self.int(0);
            let new = self.b.ins().select(wraps, zero, next);
            self.b.def_var(place, new);
            carry = self.b.ins().uextend(types::I32, wraps);
        }
        self.branch(head);
        self.b.seal_block(head);
        self.begin(done);
        let fine = self.int(0);
        self.b.ins().return_(&[fine]);
        self.ended = true;
        Ok(())
    }

    // Between regions.

    /// The place of a variable between regions, and whether it is a vector.
    fn context(&mut self, var: Reg) -> (Value, Ty, bool) {
        let vector = matches!(self.class(var), Class::Likely | Class::Varying);
        let lanes = if vector { u64::from(self.width) } else { 1 };
        let at = match self.contexts.get(&var) {
            Some(&at) => at,
            None => {
                let at = self.scratch;
                self.scratch += (lanes * 4 * self.kernel.gangs()).next_multiple_of(64);
                self.contexts.insert(var, at);
                at
            }
        };
        let (ty, _) = self.variable_type(var);
        (self.part_of_gang(at, lanes * 4), ty, vector)
    }

    /// Loads the values that earlier regions left for this one.
    pub(super) fn restore(&mut self, body: &Region) -> Result<()> {
        self.gang_arrays();
        if !self.split() {
            let budget = self.args.budget;
            self.b.def_var(self.budget, budget);
            return Ok(());
        }
        let flags = self.flags(Part::Private);
        let liveness = self.liveness;
        for &var in &liveness.entry[body.id as usize] {
            if self.class(var) <= Class::Workgroup || self.kernel.array_of(var).is_some() {
                continue;
            }
            let (pointer, ty, vector) = self.context(var);
            let int = self.ty(Ty::Int, vector);
            let count = if vector { self.quads() } else { 1 };
            let words = (0..count)
                .map(|quad| self.b.ins().load(int, flags, pointer, 16 * quad as i32))
                .collect();
            let lanes = self.convert(&words, Ty::Int, ty, vector);
            self.set_raw_variable(var, &lanes);
        }
        Ok(())
    }

    /// Stores the values that later regions need of this one.
    pub(super) fn save(&mut self, body: &Region) -> Result<()> {
        if !self.split() {
            return Ok(());
        }
        let flags = self.flags(Part::Private);
        let liveness = self.liveness;
        let mut written = std::collections::BTreeSet::new();
        body.for_each(&mut |node| {
            if let Node::Op(op) | Node::UniformLoad(op) = node
                && let Some(Access::Set(var) | Access::Change(var)) = access(self.kernel, op)
            {
                written.insert(var);
            }
        });
        for &var in &liveness.after[body.id as usize] {
            if !written.contains(&var)
                || self.class(var) <= Class::Workgroup
                || self.kernel.array_of(var).is_some()
            {
                continue;
            }
            let (pointer, ty, vector) = self.context(var);
            let lanes = self.raw_variable(var);
            let words = self.convert(&lanes, ty, Ty::Int, vector);
            for (quad, &word) in words.iter().enumerate() {
                self.b.ins().store(flags, word, pointer, 16 * quad as i32);
            }
        }
        Ok(())
    }

    // Built-in values.

    /// Values that are uniform in the workgroup.
    fn workgroup_builtins(&mut self) {
        for (reg, builtin) in self.builtins() {
            let value = match builtin {
                Builtin::WorkgroupId(axis) => self.group[axis as usize],
                Builtin::NumWorkgroups(axis) => self.args.grid[axis as usize],
                // The workgroup is one invocation wide along this axis.
                Builtin::LocalId(_) if self.class(reg) <= Class::Workgroup => self.int(0),
                Builtin::GlobalId(axis) if self.class(reg) <= Class::Workgroup => {
                    self.group[axis as usize]
                }
                _ => continue,
            };
            self.define(reg, Val::Scalar(value, Ty::Int));
        }
    }

    /// Values that differ from gang to gang.
    pub(super) fn gang_builtins(&mut self) {
        for (reg, builtin) in self.builtins() {
            if self.class(reg) <= Class::Workgroup {
                continue;
            }
            let val = match builtin {
                Builtin::LocalIndex => Val::Strided(self.first_lane(), 1),
                Builtin::SubgroupInvocationId => Val::Strided(self.int(0), 1),
                Builtin::SubgroupId => Val::Scalar(self.gang, Ty::Int),
                Builtin::LocalId(axis) => self.local_id(axis),
                Builtin::GlobalId(axis) => {
                    let local = self.local_id(axis);
                    let size = self.int(self.kernel.extent(axis));
                    let first = self.b.ins().imul(self.group[axis as usize], size);
                    match local {
                        Val::Scalar(value, ty) => Val::Scalar(self.b.ins().iadd(first, value), ty),
                        Val::Strided(value, step) => {
                            Val::Strided(self.b.ins().iadd(first, value), step)
                        }
                        Val::Vector(lanes, ty) => {
                            let first = self.splat(first, Ty::Int);
                            Val::Vector(self.zip(&first, &lanes, |b, x, y| b.ins().iadd(x, y)), ty)
                        }
                    }
                }
                _ => continue,
            };
            self.define(reg, val);
        }
    }

    /// The number of the gang's first lane.
    fn first_lane(&mut self) -> Value {
        let width = self.int(self.width);
        self.b.ins().imul(self.gang, width)
    }

    /// The coordinate in the workgroup, in the form that `shape` promised.
    fn local_id(&mut self, axis: u8) -> Val {
        let [x, y, z] = self.kernel.workgroup_size;
        let (gang, width) = (self.gang, self.width);
        let extents = [x, y, z];
        let scalar = |this: &mut Self, value: u32| Val::Scalar(this.int(value), Ty::Int);
        if y * z == 1 && axis == 0 {
            return Val::Strided(self.first_lane(), 1);
        }
        if extents[axis as usize] == 1 {
            return scalar(self, 0);
        }
        if let Some([part, row, slice]) = self.place {
            return match axis {
                0 => {
                    let width = self.int(width);
                    Val::Strided(self.b.ins().imul(part, width), 1)
                }
                1 => Val::Scalar(row, Ty::Int),
                _ => Val::Scalar(slice, Ty::Int),
            };
        }
        if axis == 2 && (x * y).is_multiple_of(width) {
            let per_slice = self.int(x * y / width);
            return Val::Scalar(self.b.ins().udiv(gang, per_slice), Ty::Int);
        }
        let first = self.first_lane();
        let first = self.splat(first, Ty::Int);
        let iota = self.iota(1);
        let mut lanes = self.zip(&first, &iota, |b, x, y| b.ins().iadd(x, y));
        let before: u32 = extents[..axis as usize].iter().product();
        if before > 1 {
            lanes = self.each_lane(&lanes, |b, lane| {
                let by = b.ins().iconst(types::I32, i64::from(before));
                b.ins().udiv(lane, by)
            });
        }
        if axis < 2 {
            let extent = extents[axis as usize];
            lanes = self.each_lane(&lanes, |b, lane| {
                let by = b.ins().iconst(types::I32, i64::from(extent));
                b.ins().urem(lane, by)
            });
        }
        Val::Vector(lanes, Ty::Int)
    }
}
