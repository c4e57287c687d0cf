//! Compiles a normalised naga module to a [`Program`].

use super::bytecode::{Builtin, Op, Program};
use super::class::Class;
use super::compiler::Compiler;
use super::functions::Unary;
use super::note::Watch;
use super::{statements, variables};
use crate::error::Result;
use crate::kernel::Kernel;

/// Compiles a kernel for a subgroup size.
pub(crate) fn compile(kernel: &Kernel, subgroup_size: u32) -> Result<Program> {
    finished(Compiler::new(kernel)?, subgroup_size)
}

/// Compiles a kernel with notes for a watcher. `lints` adds notes for suspicious code.
pub(in crate::cpu) fn compile_watched(
    kernel: &Kernel,
    subgroup_size: u32,
    lints: bool,
) -> Result<Program> {
    let mut compiler = Compiler::new(kernel)?;
    compiler.watch = Some(Watch::new(lints));
    finished(compiler, subgroup_size)
}

fn finished(mut compiler: Compiler<'_>, subgroup_size: u32) -> Result<Program> {
    compiler.declare_globals()?;
    compiler.exec = compiler.register(Class::Mask);
    let active = compiler.builtin(Builtin::Active);
    let exec = compiler.exec;
    compiler.push(Op::Unary { f: Unary::Copy, dst: exec, a: active });
    variables::initialise_variables(&mut compiler)?;
    statements::compile_body(&mut compiler)?;
    compiler.finish(subgroup_size)
}
