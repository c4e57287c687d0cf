//! The JIT: a function in Cranelift IR to code in memory.
//!
//! Memory is written first and made executable afterwards by `finalize_definitions`, never both at once. It is
//! freed with the [`Code`].

use std::mem::ManuallyDrop;
use std::sync::Mutex;

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{Function, UserFuncName};
use cranelift_codegen::isa::{OwnedTargetIsa, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{Context, isa};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module};

use super::function;
use crate::cpu::compiled::{self, Needs};
use crate::cpu::spmd::Compiled;
use crate::error::{Error, FailureKind, Result};
use crate::kernel::Kernel;

/// A processor to compile for.
pub(super) struct Target {
    isa: OwnedTargetIsa,
    fma: bool,
}

fn refused(cause: impl std::fmt::Display) -> Error {
    Error::Device {
        device: "cpu".to_owned(),
        kind: FailureKind::Rejected,
        doing: "compile a kernel with Cranelift".to_owned(),
        cause: cause.to_string(),
    }
}

/// The settings of code generation. `observant` code assumes before every load that another thread may have
/// written the memory.
fn flags(observant: bool) -> Result<settings::Flags> {
    let mut flags = settings::builder();
    for (name, value) in [
        ("opt_level", "speed"),
        ("is_pic", "false"),
        ("use_colocated_libcalls", "false"),
        ("unwind_info", "false"),
        ("enable_alias_analysis", if observant { "false" } else { "true" }),
        ("enable_verifier", if cfg!(debug_assertions) { "true" } else { "false" }),
    ] {
        flags.set(name, value).map_err(refused)?;
    }
    Ok(settings::Flags::new(flags))
}

impl Target {
    /// The host machine.
    pub(super) fn host(observant: bool) -> Result<Target> {
        let builder = cranelift_native::builder().map_err(refused)?;
        #[cfg(target_arch = "x86_64")]
        let (able, fma) = (
            std::is_x86_feature_detected!("sse4.1"),
            std::is_x86_feature_detected!("fma") && std::is_x86_feature_detected!("avx"),
        );
        #[cfg(not(target_arch = "x86_64"))]
        let (able, fma) = (true, true);
        if !able {
            return Err(refused("the processor has no SSE 4.1"));
        }
        Target::of(builder, observant, fma)
    }

    /// A given processor.
    pub(super) fn of(builder: isa::Builder, observant: bool, fma: bool) -> Result<Target> {
        Ok(Target { isa: builder.finish(flags(observant)?).map_err(refused)?, fma })
    }

    /// The kernel as a function.
    pub(super) fn function(
        &self,
        source: &Kernel,
        compiled: &Compiled,
    ) -> Result<(Function, Needs)> {
        let isa: &dyn TargetIsa = &*self.isa;
        let mut function =
            Function::with_name_signature(UserFuncName::user(0, 0), function::signature(isa));
        let mut context = FunctionBuilderContext::new();
        let builder = FunctionBuilder::new(&mut function, &mut context);
        let needs = function::emit(source, compiled, self.fma, builder, isa)?;
        Ok((function, needs))
    }

    /// The function's assembly, with the IR that it is made of.
    pub(super) fn assembly(&self, function: Function) -> Result<String> {
        let mut context = Context::for_function(function);
        context.set_disasm(true);
        let code = context
            .compile(&*self.isa, &mut ControlPlane::default())
            .map_err(|error| refused(error.inner))?;
        Ok(code.vcode.clone().unwrap_or_default())
    }

    /// The function after optimisation.
    pub(super) fn optimised(&self, function: Function) -> Result<String> {
        let mut context = Context::for_function(function);
        context.optimize(&*self.isa, &mut ControlPlane::default()).map_err(refused)?;
        Ok(context.func.display().to_string())
    }

    /// The function as code in memory.
    pub(super) fn code(self, function: Function) -> Result<Code> {
        let builder = JITBuilder::with_isa(self.isa, cranelift_module::default_libcall_names());
        let mut module = JITModule::new(builder);
        let id = module
            .declare_function("coexec_run", Linkage::Export, &function.signature)
            .map_err(refused)?;
        let mut context = Context::for_function(function);
        module.define_function(id, &mut context).map_err(refused)?;
        module.finalize_definitions().map_err(refused)?;
        let address = module.get_finalized_function(id) as u64;
        Ok(Code { module: Mutex::new(ManuallyDrop::new(module)), address })
    }
}

/// Machine code, freed when dropped.
pub(super) struct Code {
    module: Mutex<ManuallyDrop<JITModule>>,
    address: u64,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({:#x})", self.address)
    }
}

// SAFETY: the function was defined in the module, whose memory lives as long as the value. `function` writes
// it with a kernel's signature.
unsafe impl compiled::Code for Code {
    fn address(&self) -> u64 {
        self.address
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        let module = self.module.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        // SAFETY: the module is taken once, here, and not used again. Callers that run the code borrow
        // it, so no thread runs it here.
        unsafe { ManuallyDrop::take(module).free_memory() }
    }
}
