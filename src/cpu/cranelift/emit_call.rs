//! Calls of functions that are not generated: the interpreter's functions for each lane, and an instruction
//! that Cranelift lacks.

use cranelift_codegen::ir::{AbiParam, InstBuilder, Signature, Value, types};
#[cfg(target_arch = "x86_64")]
use cranelift_codegen::isa::CallConv;

use super::emit::{Emitter, Lanes, Part};
use crate::cpu::compiled::{self, AnyFunction};
use crate::cpu::interpreter::functions::Reg;
#[cfg(target_arch = "x86_64")]
use crate::cpu::math;
use crate::cpu::spmd::types::Ty;
use crate::error::Result;

impl Emitter<'_, '_> {
    /// Calls a Rust function for each lane.
    pub(super) fn apply(
        &mut self,
        function: AnyFunction,
        args: &[Reg],
        ty: Ty,
        v: bool,
    ) -> Result<Lanes> {
        let number = match self.functions.iter().position(|&known| known == function) {
            Some(number) => number,
            None => {
                self.functions.push(function);
                self.functions.len() - 1
            }
        };
        let bytes = self.width * 4;
        let slots = ["apply.a", "apply.b", "apply.c"].map(|name| self.slot(name, bytes));
        let out = self.slot("apply.out", bytes);
        let flags = self.flags(Part::Frame);
        for (&arg, slot) in args.iter().zip(slots) {
            let lanes = self.get(arg, Ty::Int, v)?;
            for (quad, &lane) in lanes.iter().enumerate() {
                self.b.ins().store(flags, lane, slot, 16 * quad as i32);
            }
        }
        let functions = self.args.functions;
        let number = self.int(number as u32);
        let lanes = self.int(if v { self.width } else { 1 });
        let [a, b, c] = slots;
        let (long, word) = (types::I64, types::I32);
        self.call(
            "apply",
            compiled::apply as *const () as u64,
            &[long, word, long, long, long, long, word],
            &[functions, number, a, b, c, out, lanes],
        );
        let int = self.ty(Ty::Int, v);
        let count = if v { self.quads() } else { 1 };
        let words: Lanes =
            (0..count).map(|quad| self.b.ins().load(int, flags, out, 16 * quad as i32)).collect();
        Ok(self.convert(&words, Ty::Int, ty, v))
    }

    /// Calls a Rust function without a result.
    fn call(
        &mut self,
        name: &'static str,
        address: u64,
        parameters: &[cranelift_codegen::ir::Type],
        args: &[Value],
    ) {
        let b = &mut self.b;
        let signature = *self.signatures.entry(name).or_insert_with(|| {
            let mut signature = Signature::new(b.func.signature.call_conv);
            signature.params.extend(parameters.iter().map(|&ty| AbiParam::new(ty)));
            b.import_signature(signature)
        });
        let callee = self.long(address);
        self.b.ins().call_indirect(signature, callee, args);
    }

    /// Sets memory to zero, in multiples of 16 bytes.
    pub(super) fn zero(&mut self, at: Value, bytes: u64, part: Part) {
        if bytes <= 256 {
            let flags = self.flags(part);
            let zero = self.words([0; 4], Ty::Int);
            for offset in (0..bytes as i32).step_by(16) {
                self.b.ins().store(flags, zero, at, offset);
            }
            return;
        }
        let bytes = self.long(bytes);
        let zero: unsafe extern "C" fn(*mut u8, u64) = compiled::zero;
        self.call("zero", zero as *const () as u64, &[types::I64; 2], &[at, bytes]);
    }

    /// The processor's estimate of `1 / sqrt`. The called function preserves every register that Cranelift
    /// uses, so no value has to be saved.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn inverse_sqrt_guess(&mut self, a: Reg, v: bool) -> Result<Lanes> {
        let x = self.get(a, Ty::Float, v)?;
        let (slot, flags) = (self.slot("guess", self.width * 4), self.flags(Part::Frame));
        for (quad, &lanes) in x.iter().enumerate() {
            self.b.ins().store(flags, lanes, slot, 16 * quad as i32);
        }
        let b = &mut self.b;
        let signature = *self.signatures.entry("guess").or_insert_with(|| {
            let mut signature = Signature::new(CallConv::PreserveAll);
            signature.params.push(AbiParam::new(types::I64));
            b.import_signature(signature)
        });
        // As many quads at once as the largest function takes.
        let at_once = x.len().min(4);
        let callee = self.long(math::inverse_sqrt_guesses(at_once) as *const () as u64);
        for first in (0..x.len()).step_by(at_once) {
            let at = self.b.ins().iadd_imm_u(slot, 16 * first as i64);
            self.b.ins().call_indirect(signature, callee, &[at]);
        }
        let ty = self.ty(Ty::Float, v);
        Ok((0..x.len()).map(|quad| self.b.ins().load(ty, flags, slot, 16 * quad as i32)).collect())
    }
}
