//! The JIT: textual LLVM IR to machine code in this process.
//!
//! Every compilation has its own context and JIT, freed with the [`Code`]. Optimisation is a short list of
//! LLVM's passes: the code is already vectorised, and the other passes of O3 take several times as long and
//! gain nothing. The text never has a fast-math flag.

use std::ffi::{c_char, c_int};
use std::ptr::null_mut;

use super::library::{Library, Ref, SafeContext, SymbolPair, c_string};
use crate::cpu::compiled;

/// Variables to registers, then twice through the usual simplifications, with loops in between.
const PASSES: &str = "function(sroa,early-cse<memssa>,simplifycfg,instcombine,\
    loop-mssa(loop-rotate,licm),simplifycfg,instcombine,\
    loop(indvars,loop-deletion,loop-unroll-full),sroa,gvn,instcombine,simplifycfg,\
    loop-mssa(licm),adce,simplifycfg)";

/// The bytes of a module's text above which no loop is unrolled: such a kernel exceeds the nearest caches
/// anyway, and takes seconds to compile. The text of `kernels/matmul.wgsl` has 84 kB.
const LARGE: usize = 400_000;

/// Machine code, and the JIT that owns it.
#[derive(Debug)]
pub(super) struct Code {
    library: &'static Library,
    jit: Ref,
    address: u64,
}

// SAFETY: the JIT is accessed only when the code is dropped; machine code may run on any thread.
unsafe impl Send for Code {}
// SAFETY: as for Send; nothing is mutable through a shared reference.
unsafe impl Sync for Code {}

// SAFETY: the function was looked up in the JIT, which lives as long as the value. `function` writes it with
// a kernel's signature.
unsafe impl compiled::Code for Code {
    fn address(&self) -> u64 {
        self.address
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: `compile` made it, and it is disposed of once; callers that run the code borrow it.
        let error = unsafe { (self.library.api.lljit_dispose)(self.jit) };
        if let Err(cause) = self.library.check(error) {
            tracing::warn!(cause, "LLVM's JIT could not be disposed of");
        }
    }
}

/// The stage of the code to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The LLVM IR after optimisation.
    Optimised,
    /// Assembly.
    Assembly,
}

/// A target machine, disposed of when dropped.
struct Machine<'l> {
    library: &'l Library,
    machine: Ref,
    triple: String,
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `Machine::host`, disposed of once.
        unsafe { (self.library.api.dispose_target_machine)(self.machine) }
    }
}

impl<'l> Machine<'l> {
    /// The host machine, with all its features.
    fn host(library: &'l Library) -> Result<Machine<'l>, String> {
        let api = &library.api;
        // SAFETY: plain calls of the C API with strings that live long enough.
        unsafe {
            let triple = library.take_message((api.default_triple)());
            let c_triple = c_string(&triple);
            let (mut target, mut message) = (null_mut(), null_mut());
            if (api.target_from_triple)(c_triple.as_ptr(), &mut target, &mut message) != 0 {
                return Err(library.take_message(message));
            }
            let cpu = c_string(&library.take_message((api.host_cpu)()));
            let features = c_string(&library.take_message((api.host_features)()));
            // Level 3, default relocation, the code model for a JIT.
            let machine = (api.create_target_machine)(
                target,
                c_triple.as_ptr(),
                cpu.as_ptr(),
                features.as_ptr(),
                3,
                0,
                1,
            );
            if machine.is_null() {
                return Err(format!("LLVM has no target machine for {triple}"));
            }
            Ok(Machine { library, machine, triple })
        }
    }
}

/// A module in a context of its own.
struct Module<'l> {
    library: &'l Library,
    module: Ref,
    safe: Ref,
    /// The context, until the shared context owns it.
    context: Ref,
}

impl Drop for Module<'_> {
    fn drop(&mut self) {
        let api = &self.library.api;
        // SAFETY: each is null or owned by us, and disposed of once, the module before its context.
        unsafe {
            if !self.module.is_null() {
                (api.module_dispose)(self.module);
            }
            if !self.safe.is_null() {
                (api.safe_context_dispose)(self.safe);
            } else if !self.context.is_null() {
                (api.context_dispose)(self.context);
            }
        }
    }
}

impl<'l> Module<'l> {
    fn parse(library: &'l Library, text: &str) -> Result<Module<'l>, String> {
        let api = &library.api;
        // SAFETY: plain calls of the C API; the buffer copies the text, the parser takes the
        // buffer over.
        unsafe {
            let (context, safe) = match library.safe_context {
                SafeContext::Inside { create, context } => {
                    let safe = create();
                    (context(safe), safe)
                }
                SafeContext::Around { .. } => ((api.context_create)(), null_mut()),
            };
            let mut parsed = Module { library, module: null_mut(), safe, context };
            let name = c_string("kernel");
            let buffer =
                (api.buffer_create)(text.as_ptr().cast::<c_char>(), text.len(), name.as_ptr());
            let mut message = null_mut();
            if (api.parse_ir)(context, buffer, &mut parsed.module, &mut message) != 0 {
                parsed.module = null_mut();
                return Err(library.take_message(message));
            }
            Ok(parsed)
        }
    }

    /// Sets the target, and runs the passes. `text` is the module's.
    fn optimise(&self, machine: &Machine<'_>, text: &str) -> Result<(), String> {
        let api = &self.library.api;
        let passes = match text.len() > LARGE {
            true => PASSES.replace(",loop-unroll-full", ""),
            false => PASSES.to_owned(),
        };
        // SAFETY: plain calls of the C API on objects that are alive.
        unsafe {
            (api.set_target)(self.module, c_string(&machine.triple).as_ptr());
            let layout = (api.create_data_layout)(machine.machine);
            (api.set_data_layout)(self.module, layout);
            (api.dispose_data_layout)(layout);
            let options = (api.pass_options)();
            (api.pass_loop_vectorization)(options, 0);
            (api.pass_slp_vectorization)(options, 0);
            (api.pass_loop_interleaving)(options, 0);
            let run = |passes: &str| {
                let passes = c_string(passes);
                let machine = machine.machine;
                self.library.check((api.run_passes)(self.module, passes.as_ptr(), machine, options))
            };
            // A library that does not know one of the passes refuses the list before it runs any. From
            // LLVM 18 on, `instcombine` ends the process if one iteration was not enough, unless that
            // check is off.
            let untested = passes.replace("instcombine", "instcombine<no-verify-fixpoint>");
            let result = run(&untested).or_else(|_| run(&passes)).or_else(|_| run("default<O3>"));
            (api.pass_options_dispose)(options);
            result
        }
    }

    /// Turns the module into a thread-safe module, which a JIT takes over.
    fn into_safe_module(mut self) -> Ref {
        let api = &self.library.api;
        // SAFETY: the thread-safe module takes the module over and shares the context, whose handle our
        // `drop` then disposes of.
        unsafe {
            if let SafeContext::Around { create } = self.library.safe_context {
                self.safe = create(self.context);
                self.context = null_mut();
            }
            let safe_module = (api.safe_module)(self.module, self.safe);
            self.module = null_mut();
            safe_module
        }
    }
}

/// Compiles a module and looks up one of its functions. `symbols` are the functions that it may call.
pub(super) fn compile(
    library: &'static Library,
    text: &str,
    function: &str,
    symbols: &[(&str, u64)],
) -> Result<Code, String> {
    let api = &library.api;
    let machine = Machine::host(library)?;
    let module = Module::parse(library, text)?;
    module.optimise(&machine, text)?;
    let safe_module = module.into_safe_module();
    // A second machine: the builder takes its machine over.
    let machine = Machine::host(library)?;
    // SAFETY: plain calls of the C API. The builder takes the machine over; the JIT takes over the builder, the
    // module and the symbols; a failed call returns an error object.
    unsafe {
        let builder = (api.lljit_builder)();
        let machine_builder = (api.machine_builder)(machine.machine);
        std::mem::forget(machine);
        (api.lljit_builder_set_machine)(builder, machine_builder);
        let mut jit = null_mut();
        library.check((api.lljit_create)(&mut jit, builder))?;
        let mut code = Code { library, jit, address: 0 };
        let main = (api.lljit_main)(jit);
        let mut pairs: Vec<SymbolPair> = symbols
            .iter()
            .map(|&(name, address)| SymbolPair {
                name: (api.lljit_intern)(jit, c_string(name).as_ptr()),
                address,
                // Exported and callable.
                generic_flags: 1 | 4,
                target_flags: 0,
            })
            .collect();
        let unit = (api.absolute_symbols)(pairs.as_mut_ptr(), pairs.len());
        library.check((api.dylib_define)(main, unit))?;
        library.check((api.lljit_add_module)(jit, main, safe_module))?;
        library.check((api.lljit_lookup)(jit, &mut code.address, c_string(function).as_ptr()))?;
        Ok(code)
    }
}

/// The code that LLVM makes of a module, as text.
pub(super) fn list(library: &Library, text: &str, stage: Stage) -> Result<String, String> {
    let api = &library.api;
    let machine = Machine::host(library)?;
    let module = Module::parse(library, text)?;
    module.optimise(&machine, text)?;
    // SAFETY: plain calls of the C API; the buffer is ours and read before it is disposed of.
    unsafe {
        if stage == Stage::Optimised {
            return Ok(library.take_message((api.module_print)(module.module)));
        }
        let (mut message, mut buffer) = (null_mut(), null_mut());
        const ASSEMBLY: c_int = 0;
        if (api.emit_to_buffer)(machine.machine, module.module, ASSEMBLY, &mut message, &mut buffer)
            != 0
        {
            return Err(library.take_message(message));
        }
        let bytes = std::slice::from_raw_parts(
            (api.buffer_start)(buffer).cast::<u8>(),
            (api.buffer_size)(buffer),
        );
        let assembly = String::from_utf8_lossy(bytes).into_owned();
        (api.buffer_dispose)(buffer);
        Ok(assembly)
    }
}

/// Whether the library reads IR with opaque pointers, as coexec writes it: LLVM 15 and later do.
pub(super) fn accepts_opaque_pointers(library: &Library) -> bool {
    Module::parse(library, "define void @f(ptr %p) { ret void }").is_ok()
}
