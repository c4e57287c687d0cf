//! The frame of the generated function: its signature and its arguments.

use cranelift_codegen::ir::{
    AbiParam, Block, InstBuilder, MemFlagsData, Signature, Type, Value, types,
};
use cranelift_codegen::isa::TargetIsa;
use cranelift_frontend::FunctionBuilder;

use super::builder::Builder;
use crate::cpu::compiled::{Needs, Word};
use crate::cpu::emit;
use crate::cpu::emit::emitter::{Arguments, BindingArguments};
use crate::cpu::spmd::Compiled;
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
    let (functions, args) = arguments(source, &mut b, entry);
    let builder = Builder::new(b, fma, compiled.code.width, functions);
    let (builder, needs) = emit::emit(builder, compiled, args)?;
    builder.b.finalize(isa.frontend_config());
    Ok(needs)
}

/// Reads the arguments of a launch: the table of functions, and the others.
fn arguments(
    source: &Source,
    b: &mut FunctionBuilder<'_>,
    entry: Block,
) -> (Value, Arguments<Value>) {
    let [words, first, count, scratch] = [0, 1, 2, 3].map(|k| b.block_params(entry)[k]);
    let constant = MemFlagsData::trusted().with_readonly().with_can_move();
    let mut word =
        |ty: Type, word: Word| b.ins().load(ty, constant, words, 8 * word.index() as i32);
    let functions = word(types::I64, Word::Functions);
    let mut args = Arguments {
        budget: word(types::I64, Word::Budget),
        batch: [first, count],
        scratch,
        grid: [0, 1, 2].map(|axis| word(types::I32, Word::Grid(axis))),
        first: [0, 1, 2].map(|axis| word(types::I32, Word::First(axis))),
        count: [0, 1, 2].map(|axis| word(types::I32, Word::Count(axis))),
        bindings: Vec::new(),
    };
    for id in 0..source.signature().bindings.len() {
        let length = word(types::I32, Word::Elements(id));
        let address = word(types::I64, Word::Pointer(id));
        args.bindings.push(BindingArguments { address, length, signed: length });
    }
    for binding in &mut args.bindings {
        let most = b.ins().iconst(types::I32, 1 << 31);
        binding.signed = b.ins().umin(binding.length, most);
    }
    (functions, args)
}
