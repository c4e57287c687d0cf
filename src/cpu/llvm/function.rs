//! The text around a kernel's code: the function's arguments and the declarations of intrinsics.
//!
//! The arguments come as one array of 64-bit words, in the order of [`Word`]. An inner function has the buffers as
//! parameters, so that LLVM knows that they don't overlap.

use std::fmt::Write;

use super::builder::{Builder, Features};
use crate::cpu::compiled::{Needs, Word};
use crate::cpu::emit;
use crate::cpu::emit::emitter::{Arguments, BindingArguments};
use crate::cpu::spmd::Compiled;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;
use crate::kernel::{Kernel as Source, Space};

/// A kernel as text, with its needs at run time.
#[derive(Debug)]
pub(super) struct Emitted {
    pub(super) text: String,
    pub(super) needs: Needs,
}

/// Writes a kernel as LLVM IR.
pub(super) fn emit(source: &Source, compiled: &Compiled, features: Features) -> Result<Emitted> {
    let mut b = Builder::new(features, compiled.code.width);
    let args = arguments(&mut b, source);
    let (b, needs) = emit::emit(b, compiled, args)?;
    Ok(Emitted { text: finish(&b, source), needs })
}

/// The arguments of the inner function.
fn arguments(b: &mut Builder, source: &Source) -> Arguments<String> {
    let axes = |name: &str| [0, 1, 2].map(|axis| format!("%{name}{axis}"));
    let binding = |id: usize| {
        let length = format!("%len{id}");
        let small = b.ins(&format!("icmp ult i32 {length}, -2147483648"));
        let signed = b.ins(&format!("select i1 {small}, i32 {length}, i32 -2147483648"));
        BindingArguments { address: format!("%b{id}"), length, signed }
    };
    let bindings = (0..source.signature().bindings.len()).map(binding).collect();
    Arguments {
        budget: "%loop.budget".to_owned(),
        batch: ["%first", "%count"].map(str::to_owned),
        scratch: "%scratch".to_owned(),
        grid: axes("grid"),
        first: axes("first"),
        count: axes("count"),
        bindings,
    }
}

/// The whole text.
fn finish(b: &Builder, source: &Source) -> String {
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
        for (name, word) in
            [("grid", Word::Grid(axis)), ("first", Word::First(axis)), ("count", Word::Count(axis))]
        {
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
        "define internal i32 @workgroups({}) #1 {{\nentry:\n{}  br label %start\nstart:\n{}}}\n\n",
        parameters.join(", "),
        b.entry,
        b.out
    );
    declare(b, &mut text);
    // A wider gang, which subgroups may require, takes several registers.
    let bits = (b.width * 32).min(512);
    let _ = write!(
        text,
        "attributes #0 = {{ nounwind }}\nattributes #1 = {{ nounwind noinline \
         \"prefer-vector-width\"=\"{bits}\" \"min-legal-vector-width\"=\"{bits}\" \
         \"no-builtins\" }}\n"
    );
    text
}

fn declare(b: &Builder, text: &mut String) {
    let (width, bits) = (b.width, b.mask_size());
    let mut declared = String::new();
    let _ = writeln!(
        declared,
        "declare void @coexec_apply(ptr, i32, ptr, ptr, ptr, ptr, i32) cold nounwind\n\
         declare <4 x float> @llvm.x86.avx512.rsqrt14.ps.128(<4 x float>, <4 x float>, i8)\n\
         declare <8 x float> @llvm.x86.avx512.rsqrt14.ps.256(<8 x float>, <8 x float>, i8)\n\
         declare <16 x float> @llvm.x86.avx512.rsqrt14.ps.512(<16 x float>, <16 x float>, i16)\n\
         declare void @llvm.prefetch.p0(ptr, i32, i32, i32)\n\
         declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)\n\
         declare i{bits} @llvm.ctlz.i{bits}(i{bits}, i1)\n\
         declare i{bits} @llvm.cttz.i{bits}(i{bits}, i1)\n\
         declare i{bits} @llvm.ctpop.i{bits}(i{bits})"
    );
    let (ints, floats) = (b.ty(Ty::Int, true), b.ty(Ty::Float, true));
    for name in ["add", "mul", "and", "or", "xor", "smin", "smax", "umin", "umax"] {
        let _ = writeln!(declared, "declare i32 @llvm.vector.reduce.{name}.v{width}i32({ints})");
    }
    for name in ["fadd", "fmul"] {
        let _ = writeln!(
            declared,
            "declare float @llvm.vector.reduce.{name}.v{width}f32(float, {floats})"
        );
    }
    for vector in [false, true] {
        let (float, int) = (b.ty(Ty::Float, vector), b.ty(Ty::Int, vector));
        let (f, i) = (b.suffix(Ty::Float, vector), b.suffix(Ty::Int, vector));
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
    for name in ["smin", "smax", "umin"] {
        let _ = writeln!(declared, "declare i64 @llvm.{name}.i64(i64, i64)");
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
