//! The frame around a kernel's body: arguments, the loop over workgroups, memory between regions.
//!
//! The generated function runs a range of workgroups of a chunk, in linear order. Its arguments come as one
//! array of 64-bit words, in the order of [`Word`]; an inner function has the buffers as parameters, so that
//! LLVM knows that they don't overlap. Values that one region of gangs leaves for another are in scratch memory
//! that the calling thread lends.

use std::fmt::Write;

use super::emit::{Emitted, Emitter, Features, Frame, Val};
use crate::cpu::compiled::{Needs, Word};
use crate::cpu::interpreter::bytecode::{Builtin, Op};
use crate::cpu::interpreter::functions::Reg;
use crate::cpu::spmd::Compiled;
use crate::cpu::spmd::ir::{Node, Region};
use crate::cpu::spmd::liveness::{Access, access};
use crate::cpu::spmd::shape::Class;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;
use crate::kernel::{Kernel as Source, Space};

/// The most bytes of arrays on the stack.
const STACK_ARRAYS: u64 = 64 << 10;

/// Writes a kernel as LLVM IR.
pub(super) fn emit(source: &Source, compiled: &Compiled, features: Features) -> Result<Emitted> {
    let mut emitter = Emitter::new(compiled, features);
    let kernel = &compiled.code;
    let workgroup_bytes = kernel.workgroup_words * 4;
    emitter.scratch = workgroup_bytes.next_multiple_of(64);
    emitter.place_arrays();
    emitter.launch_values(source)?;
    for op in &kernel.preamble {
        match op {
            Op::Load(access) => emitter.load(access)?,
            op => emitter.pure(op)?,
        }
    }
    emitter.workgroups(workgroup_bytes)?;
    let text = emitter.finish(source);
    let Emitter { functions, scratch, loop_spans: loops, .. } = emitter;
    Ok(Emitted { text, needs: Needs { functions, scratch, loops } })
}

impl Emitter<'_> {
    /// Whether values must outlive a loop over gangs.
    fn split(&self) -> bool {
        self.kernel.is_split()
    }

    /// Assigns memory to arrays.
    fn place_arrays(&mut self) {
        let row = u64::from(self.width) * 4;
        let total: u64 = self.kernel.arrays.iter().map(|a| u64::from(a.count) * row).sum();
        for array in self.kernel.arrays.clone() {
            let bytes = u64::from(array.count) * row;
            let name = format!("%a{}", array.first);
            if !self.split() && total <= STACK_ARRAYS {
                self.alloca(&name, &format!("[{bytes} x i8]"));
                self.arrays.insert(array.first, (name, None));
            } else {
                let at = self.scratch;
                let copies = if self.split() { self.kernel.gangs() } else { 1 };
                self.scratch += bytes * copies;
                self.arrays.insert(array.first, (name, Some((at, bytes))));
            }
        }
    }

    /// Names the arrays of the next gang.
    fn gang_arrays(&mut self) {
        let split = self.split();
        for array in self.kernel.arrays.clone() {
            let Some((_, Some((at, bytes)))) = self.arrays.get(&array.first).cloned() else {
                continue;
            };
            let mut offset = at.to_string();
            if split {
                let gang = self.gang.clone();
                let wide = self.ins(&format!("zext i32 {gang} to i64"));
                let part = self.ins(&format!("mul nuw nsw i64 {wide}, {bytes}"));
                offset = self.ins(&format!("add nuw nsw i64 {part}, {at}"));
            }
            let name = self.ins(&format!("getelementptr i8, ptr %scratch, i64 {offset}"));
            self.arrays.insert(array.first, (name, Some((at, bytes))));
        }
    }

    /// Values that are uniform in the launch.
    fn launch_values(&mut self, source: &Source) -> Result<()> {
        for (id, binding) in source.signature().bindings.iter().enumerate() {
            if binding.space.is_storage() {
                let small = self.ins(&format!("icmp ult i32 %len{id}, -2147483648"));
                self.line(&format!("%slen{id} = select i1 {small}, i32 %len{id}, i32 -2147483648"));
            }
        }
        let mut builtins: Vec<(Reg, Builtin)> =
            self.kernel.builtins.iter().map(|(&reg, &builtin)| (reg, builtin)).collect();
        builtins.sort_by_key(|(reg, _)| *reg);
        for (reg, builtin) in builtins {
            let name = match builtin {
                Builtin::NumWorkgroups(axis) => format!("%grid{axis}"),
                // A gang is a subgroup.
                Builtin::NumSubgroups => self.kernel.gangs().to_string(),
                Builtin::SubgroupSize => self.width.to_string(),
                _ => continue,
            };
            self.define(reg, Val::Scalar(name, Ty::Int));
        }
        Ok(())
    }

    /// The loop over workgroups.
    fn workgroups(&mut self, workgroup_bytes: u64) -> Result<()> {
        for slot in ["%x.slot", "%y.slot", "%z.slot", "%span.slot"] {
            self.alloca(slot, "i32");
        }
        self.alloca("%left.slot", "i64");
        self.alloca("%budget", "i64");
        for text in [
            "%cx = zext i32 %count0 to i64",
            "%cy = zext i32 %count1 to i64",
            "%x.first = urem i64 %first, %cx",
            "%rest.first = udiv i64 %first, %cx",
            "%y.first = urem i64 %rest.first, %cy",
            "%z.first = udiv i64 %rest.first, %cy",
            "%x.narrow = trunc i64 %x.first to i32",
            "%y.narrow = trunc i64 %y.first to i32",
            "%z.narrow = trunc i64 %z.first to i32",
            "store i32 %x.narrow, ptr %x.slot",
            "store i32 %y.narrow, ptr %y.slot",
            "store i32 %z.narrow, ptr %z.slot",
            "store i64 %count, ptr %left.slot",
            "%none = icmp eq i64 %count, 0",
            "br i1 %none, label %done, label %workgroup.head",
        ] {
            self.line(text);
        }
        self.begin("workgroup.head");
        for (axis, slot) in ["%x.slot", "%y.slot", "%z.slot"].into_iter().enumerate() {
            self.line(&format!("%in{axis} = load i32, ptr {slot}"));
            let mut inside = format!("%in{axis}");
            if axis == 0 && self.kernel.packed > 1 {
                inside = self.ins(&format!("mul i32 {inside}, {}", self.kernel.packed));
            }
            self.line(&format!("%wg{axis} = add i32 {inside}, %first{axis}"));
        }
        self.line("store i64 %loop.budget, ptr %budget");
        self.line("store i32 1, ptr %span.slot");
        if workgroup_bytes > 0 {
            self.line(&format!(
                "call void @llvm.memset.p0.i64(ptr align 64 %workgroup, i8 0, i64 \
                 {workgroup_bytes}, i1 false)"
            ));
        }
        self.workgroup_builtins();
        let exit = "workgroup.end".to_owned();
        self.frames.push(Frame {
            target: None,
            masked: false,
            next: exit.clone(),
            exit,
            live: String::new(),
            active: String::new(),
            continued: false,
        });
        let body: &Region = &self.kernel.body;
        if self.spans() && matches!(body.nodes[..], [Node::Gangs { .. }]) {
            self.whole_span();
        }
        self.region(body)?;
        self.branch("workgroup.end");
        self.begin("workgroup.end");
        for text in [
            "%span = load i32, ptr %span.slot",
            "%span.wide = zext i32 %span to i64",
            "%left = load i64, ptr %left.slot",
            "%left.next = sub i64 %left, %span.wide",
            "store i64 %left.next, ptr %left.slot",
            "%more = icmp ne i64 %left.next, 0",
            "br i1 %more, label %advance, label %done",
        ] {
            self.line(text);
        }
        self.begin("advance");
        for text in [
            "%x.next = add i32 %in0, %span",
            "%x.wraps = icmp eq i32 %x.next, %count0",
            "%x.new = select i1 %x.wraps, i32 0, i32 %x.next",
            "store i32 %x.new, ptr %x.slot",
            "%x.carry = zext i1 %x.wraps to i32",
            "%y.next = add i32 %in1, %x.carry",
            "%y.wraps = icmp eq i32 %y.next, %count1",
            "%y.new = select i1 %y.wraps, i32 0, i32 %y.next",
            "store i32 %y.new, ptr %y.slot",
            "%y.carry = zext i1 %y.wraps to i32",
            "%z.new = add i32 %in2, %y.carry",
            "store i32 %z.new, ptr %z.slot",
            "br label %workgroup.head",
        ] {
            self.line(text);
        }
        self.begin("done");
        self.line("ret i32 0");
        Ok(())
    }

    // Between regions.

    /// The place of a variable between regions, and whether it is a vector.
    fn context(&mut self, var: Reg) -> (u64, bool) {
        let vector = matches!(self.class(var), Class::Likely | Class::Varying);
        if let Some(&at) = self.contexts.get(&var) {
            return (at, vector);
        }
        let lanes = if vector { u64::from(self.width) } else { 1 };
        let at = self.scratch;
        self.scratch += (lanes * 4 * self.kernel.gangs()).next_multiple_of(64);
        self.contexts.insert(var, at);
        (at, vector)
    }

    fn context_pointer(&mut self, var: Reg) -> (String, bool) {
        let (at, vector) = self.context(var);
        let size = if vector { u64::from(self.width) * 4 } else { 4 };
        let gang = self.gang.clone();
        let wide = self.ins(&format!("zext i32 {gang} to i64"));
        let part = self.ins(&format!("mul nuw nsw i64 {wide}, {size}"));
        let offset = self.ins(&format!("add nuw nsw i64 {part}, {at}"));
        (self.ins(&format!("getelementptr i8, ptr %scratch, i64 {offset}")), vector)
    }

    /// Loads the values that earlier regions left for this one.
    pub(super) fn restore(&mut self, body: &Region) -> Result<()> {
        self.gang_arrays();
        if !self.split() {
            self.line("store i64 %loop.budget, ptr %budget");
            return Ok(());
        }
        let liveness = self.liveness;
        for &var in &liveness.entry[body.id as usize] {
            if self.class(var) <= Class::Workgroup || self.kernel.array_of(var).is_some() {
                continue;
            }
            let (pointer, vector) = self.context_pointer(var);
            let slot = self.slot(var);
            let int = self.ty(Ty::Int, vector);
            let align = if vector { self.row_align() } else { 4 };
            let word = self.ins(&format!("load {int}, ptr {pointer}, align {align}"));
            let ty = if matches!(self.class(var), Class::Strided(_)) {
                Ty::Int
            } else {
                self.types.of_reg(var)
            };
            let value = self.convert(&word, Ty::Int, ty, vector);
            let text = self.ty(ty, vector);
            self.line(&format!("store {text} {value}, ptr {slot}"));
        }
        Ok(())
    }

    /// Stores the values that later regions need of this one.
    pub(super) fn save(&mut self, body: &Region) {
        if !self.split() {
            return;
        }
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
            let (pointer, vector) = self.context_pointer(var);
            let slot = self.slot(var);
            let ty = if matches!(self.class(var), Class::Strided(_)) {
                Ty::Int
            } else {
                self.types.of_reg(var)
            };
            let text = self.ty(ty, vector);
            let value = self.ins(&format!("load {text}, ptr {slot}"));
            let word = self.convert(&value, ty, Ty::Int, vector);
            let int = self.ty(Ty::Int, vector);
            let align = if vector { self.row_align() } else { 4 };
            self.line(&format!("store {int} {word}, ptr {pointer}, align {align}"));
        }
    }

    // The whole text.

    fn finish(&self, source: &Source) -> String {
        let mut text = String::new();
        let bindings = &source.signature().bindings;
        let mut parameters = vec![
            "ptr %functions".to_owned(),
            "i64 %loop.budget".to_owned(),
            "i64 %first".to_owned(),
            "i64 %count".to_owned(),
            "ptr noalias align 64 %scratch".to_owned(),
        ];
        let mut words = vec![
            ("ptr", "functions".to_owned(), Word::Functions),
            ("i64", "loop.budget".to_owned(), Word::Budget),
        ];
        for axis in 0..3 {
            for (name, word) in [
                ("grid", Word::Grid(axis)),
                ("first", Word::First(axis)),
                ("count", Word::Count(axis)),
            ] {
                parameters.push(format!("i32 %{name}{axis}"));
                words.push(("i32", format!("{name}{axis}"), word));
            }
        }
        for (id, binding) in bindings.iter().enumerate() {
            let access = match binding.space {
                Space::StorageWrite => "",
                _ => " readonly",
            };
            parameters.push(format!("ptr noalias{access} align 4 %b{id}"));
            parameters.push(format!("i32 %len{id}"));
            words.push(("ptr", format!("b{id}"), Word::Pointer(id)));
            words.push(("i32", format!("len{id}"), Word::Elements(id)));
        }
        let _ = writeln!(
            text,
            "define i32 @coexec_run(ptr %args, i64 %first, i64 %count, ptr %scratch) #0 {{"
        );
        let mut passed = Vec::new();
        for (ty, name, word) in words {
            let _ = write!(
                text,
                "  %p.{name} = getelementptr i64, ptr %args, i64 {}\n  %{name} = load {ty}, ptr \
                 %p.{name}\n",
                word.index()
            );
            passed.push(format!("{ty} %{name}"));
        }
        let (head, tail) = passed.split_at(2);
        let mut order: Vec<String> = head.to_vec();
        order.extend(["i64 %first", "i64 %count", "ptr %scratch"].map(str::to_owned));
        order.extend(tail.iter().cloned());
        let _ = write!(
            text,
            "  %status = call i32 @workgroups({})\n  ret i32 %status\n}}\n\n",
            order.join(", ")
        );
        let _ = write!(
            text,
            "define internal i32 @workgroups({}) #1 {{\nentry:\n{}  %workgroup = getelementptr i8, \
             ptr %scratch, i64 0\n  br label %start\nstart:\n{}}}\n\n",
            parameters.join(", "),
            self.entry,
            self.out
        );
        self.declare(&mut text);
        // A wider gang, which subgroups may require, takes several registers.
        let bits = (self.width * 32).min(512);
        let _ = write!(
            text,
            "attributes #0 = {{ nounwind }}\nattributes #1 = {{ nounwind noinline \
             \"prefer-vector-width\"=\"{bits}\" \"min-legal-vector-width\"=\"{bits}\" \
             \"no-builtins\" }}\n"
        );
        text
    }

    fn declare(&self, text: &mut String) {
        let width = self.width;
        let mut declared = String::new();
        let _ = writeln!(
            declared,
            "declare void @coexec_apply(ptr, i32, ptr, ptr, ptr, ptr, i32) cold nounwind\n\
             declare <4 x float> @llvm.x86.avx512.rsqrt14.ps.128(<4 x float>, <4 x float>, i8)\n\
             declare <8 x float> @llvm.x86.avx512.rsqrt14.ps.256(<8 x float>, <8 x float>, i8)\n\
             declare <16 x float> @llvm.x86.avx512.rsqrt14.ps.512(<16 x float>, <16 x float>, i16)\n\
             declare void @llvm.prefetch.p0(ptr, i32, i32, i32)\n\
             declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)\n\
             declare i{width} @llvm.ctlz.i{width}(i{width}, i1)\n\
             declare i{width} @llvm.cttz.i{width}(i{width}, i1)\n\
             declare i{width} @llvm.ctpop.i{width}(i{width})"
        );
        let (ints, floats) = (self.ty(Ty::Int, true), self.ty(Ty::Float, true));
        for name in ["add", "mul", "and", "or", "xor", "smin", "smax", "umin", "umax"] {
            let _ =
                writeln!(declared, "declare i32 @llvm.vector.reduce.{name}.v{width}i32({ints})");
        }
        for name in ["fadd", "fmul"] {
            let _ = writeln!(
                declared,
                "declare float @llvm.vector.reduce.{name}.v{width}f32(float, {floats})"
            );
        }
        for vector in [false, true] {
            let (float, int) = (self.ty(Ty::Float, vector), self.ty(Ty::Int, vector));
            let (f, i) = (self.suffix(Ty::Float, vector), self.suffix(Ty::Int, vector));
            for name in ["fabs", "ceil", "floor", "trunc", "roundeven", "sqrt"] {
                let _ = writeln!(declared, "declare {float} @llvm.{name}.{f}({float})");
            }
            let _ = writeln!(declared, "declare {float} @llvm.fma.{f}({float}, {float}, {float})");
            for name in ["umin", "umax", "smin", "smax"] {
                let _ = writeln!(declared, "declare {int} @llvm.{name}.{i}({int}, {int})");
            }
            for name in ["ctpop", "bitreverse"] {
                let _ = writeln!(declared, "declare {int} @llvm.{name}.{i}({int})");
            }
            for name in ["cttz", "ctlz"] {
                let _ = writeln!(declared, "declare {int} @llvm.{name}.{i}({int}, i1)");
            }
        }
        for name in ["smin", "smax"] {
            let _ = writeln!(text, "declare i64 @llvm.{name}.i64(i64, i64)");
        }
        for scalar in ["i32", "i16"] {
            let (v, m) = (format!("<{width} x {scalar}>"), format!("<{width} x i1>"));
            let p = format!("<{width} x ptr>");
            let suffix = format!("v{width}{scalar}");
            let _ = writeln!(
                declared,
                "declare {v} @llvm.masked.load.{suffix}.p0(ptr, i32, {m}, {v})\n\
                 declare void @llvm.masked.store.{suffix}.p0({v}, ptr, i32, {m})\n\
                 declare {v} @llvm.masked.gather.{suffix}.v{width}p0({p}, i32, {m}, {v})\n\
                 declare void @llvm.masked.scatter.{suffix}.v{width}p0({v}, {p}, i32, {m})"
            );
        }
        if width > 16 {
            declared.push_str(
                "declare void @llvm.masked.store.v16i32.p0(<16 x i32>, ptr, i32, <16 x i1>)\n",
            );
        }
        // Each declaration once: a gang of 32 lanes has masks of the same type as words.
        let mut known: Vec<&str> = Vec::new();
        for line in declared.lines() {
            if !known.contains(&line) {
                known.push(line);
            }
        }
        text.push_str(&known.join("\n"));
        text.push('\n');
    }
}
