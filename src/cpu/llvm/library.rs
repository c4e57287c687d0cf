//! libLLVM, found at run time.
//!
//! One library is loaded per process, privately (RTLD_LOCAL: Mesa brings its own LLVM), and never unloaded.
//! What always holds of a [`Library`]: it has every function of the C API that this crate calls, the host's
//! target is initialised, and it parses opaque pointers, so it is LLVM 15 or newer. `jit` uses the functions.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};

/// An object of the C API.
pub(super) type Ref = *mut c_void;

/// A name and an address, as `LLVMOrcAbsoluteSymbols` takes them.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct SymbolPair {
    pub(super) name: Ref,
    pub(super) address: u64,
    pub(super) generic_flags: u8,
    pub(super) target_flags: u8,
}

macro_rules! api {
    ($($field:ident: $symbol:literal fn($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        /// The functions of the C API that are used, all of them present.
        #[derive(Debug)]
        pub(super) struct Api {
            $(pub(super) $field: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)*
        }

        impl Api {
            fn load(library: &libloading::Library) -> Result<Api, String> {
                Ok(Api {$(
                    // SAFETY: the type is that of the C header, the same from LLVM 15 on.
                    $field: *unsafe { library.get(concat!($symbol, "\0").as_bytes()) }
                        .map_err(|_| format!("it has no {}", $symbol))?,
                )*})
            }
        }
    };
}

api! {
    dispose_message: "LLVMDisposeMessage" fn(*mut c_char);
    context_create: "LLVMContextCreate" fn() -> Ref;
    context_dispose: "LLVMContextDispose" fn(Ref);
    buffer_create: "LLVMCreateMemoryBufferWithMemoryRangeCopy" fn(*const c_char, usize, *const c_char) -> Ref;
    buffer_start: "LLVMGetBufferStart" fn(Ref) -> *const c_char;
    buffer_size: "LLVMGetBufferSize" fn(Ref) -> usize;
    buffer_dispose: "LLVMDisposeMemoryBuffer" fn(Ref);
    parse_ir: "LLVMParseIRInContext" fn(Ref, Ref, *mut Ref, *mut *mut c_char) -> c_int;
    module_dispose: "LLVMDisposeModule" fn(Ref);
    module_print: "LLVMPrintModuleToString" fn(Ref) -> *mut c_char;
    set_target: "LLVMSetTarget" fn(Ref, *const c_char);
    set_data_layout: "LLVMSetModuleDataLayout" fn(Ref, Ref);
    default_triple: "LLVMGetDefaultTargetTriple" fn() -> *mut c_char;
    target_from_triple: "LLVMGetTargetFromTriple" fn(*const c_char, *mut Ref, *mut *mut c_char) -> c_int;
    host_cpu: "LLVMGetHostCPUName" fn() -> *mut c_char;
    host_features: "LLVMGetHostCPUFeatures" fn() -> *mut c_char;
    create_target_machine: "LLVMCreateTargetMachine" fn(Ref, *const c_char, *const c_char, *const c_char, c_int, c_int, c_int) -> Ref;
    dispose_target_machine: "LLVMDisposeTargetMachine" fn(Ref);
    create_data_layout: "LLVMCreateTargetDataLayout" fn(Ref) -> Ref;
    dispose_data_layout: "LLVMDisposeTargetData" fn(Ref);
    emit_to_buffer: "LLVMTargetMachineEmitToMemoryBuffer" fn(Ref, Ref, c_int, *mut *mut c_char, *mut Ref) -> c_int;
    pass_options: "LLVMCreatePassBuilderOptions" fn() -> Ref;
    pass_options_dispose: "LLVMDisposePassBuilderOptions" fn(Ref);
    pass_loop_vectorization: "LLVMPassBuilderOptionsSetLoopVectorization" fn(Ref, c_int);
    pass_slp_vectorization: "LLVMPassBuilderOptionsSetSLPVectorization" fn(Ref, c_int);
    pass_loop_interleaving: "LLVMPassBuilderOptionsSetLoopInterleaving" fn(Ref, c_int);
    run_passes: "LLVMRunPasses" fn(Ref, *const c_char, Ref, Ref) -> Ref;
    error_message: "LLVMGetErrorMessage" fn(Ref) -> *mut c_char;
    dispose_error_message: "LLVMDisposeErrorMessage" fn(*mut c_char);
    lljit_builder: "LLVMOrcCreateLLJITBuilder" fn() -> Ref;
    lljit_builder_set_machine: "LLVMOrcLLJITBuilderSetJITTargetMachineBuilder" fn(Ref, Ref);
    machine_builder: "LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine" fn(Ref) -> Ref;
    lljit_create: "LLVMOrcCreateLLJIT" fn(*mut Ref, Ref) -> Ref;
    lljit_dispose: "LLVMOrcDisposeLLJIT" fn(Ref) -> Ref;
    lljit_main: "LLVMOrcLLJITGetMainJITDylib" fn(Ref) -> Ref;
    lljit_intern: "LLVMOrcLLJITMangleAndIntern" fn(Ref, *const c_char) -> Ref;
    lljit_add_module: "LLVMOrcLLJITAddLLVMIRModule" fn(Ref, Ref, Ref) -> Ref;
    lljit_lookup: "LLVMOrcLLJITLookup" fn(Ref, *mut u64, *const c_char) -> Ref;
    absolute_symbols: "LLVMOrcAbsoluteSymbols" fn(*mut SymbolPair, usize) -> Ref;
    dylib_define: "LLVMOrcJITDylibDefine" fn(Ref, Ref) -> Ref;
    safe_module: "LLVMOrcCreateNewThreadSafeModule" fn(Ref, Ref) -> Ref;
    safe_context_dispose: "LLVMOrcDisposeThreadSafeContext" fn(Ref);
}

/// How a context is shared with the JIT: the API changed between LLVM 15 and 22.
#[derive(Debug)]
pub(super) enum SafeContext {
    /// Create a shared context, then take the LLVM context out of it.
    Inside { create: unsafe extern "C" fn() -> Ref, context: unsafe extern "C" fn(Ref) -> Ref },
    /// Make a shared context of an LLVM context.
    Around { create: unsafe extern "C" fn(Ref) -> Ref },
}

/// A loaded libLLVM.
#[derive(Debug)]
pub(crate) struct Library {
    pub(super) api: Api,
    pub(super) safe_context: SafeContext,
    /// Its path, or the name under which the system found it.
    path: String,
    version: String,
    _library: libloading::Library,
}

impl Library {
    /// "LLVM 22.1.0 (/path)".
    pub(crate) fn describe(&self) -> String {
        format!("{} ({})", self.version, self.path)
    }

    pub(super) fn open(path: &str) -> Result<Library, String> {
        // SAFETY: the initialisers of libLLVM access only LLVM's own state; the library is never
        // unloaded.
        let library = unsafe { open_locally(path) }.map_err(|error| error.to_string())?;
        let api = Api::load(&library)?;
        let safe_context = safe_context(&library)?;
        initialise(&library)?;
        set_options(&library);
        let version = version(&library);
        Ok(Library { api, safe_context, path: path.to_owned(), version, _library: library })
    }

    /// Takes over a string of the C API.
    pub(super) fn take_message(&self, message: *mut c_char) -> String {
        if message.is_null() {
            return String::new();
        }
        // SAFETY: a string that the C API made, owned by us, disposed of once.
        unsafe {
            let text = CStr::from_ptr(message).to_string_lossy().into_owned();
            (self.api.dispose_message)(message);
            text
        }
    }

    /// An error object as text; null is success.
    pub(super) fn check(&self, error: Ref) -> Result<(), String> {
        if error.is_null() {
            return Ok(());
        }
        // SAFETY: an error object, consumed by `LLVMGetErrorMessage`; its text is freed once.
        unsafe {
            let message = (self.api.error_message)(error);
            let text = CStr::from_ptr(message).to_string_lossy().into_owned();
            (self.api.dispose_error_message)(message);
            Err(text)
        }
    }
}

#[cfg(unix)]
unsafe fn open_locally(path: &str) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: the caller keeps the promise.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
}

#[cfg(not(unix))]
unsafe fn open_locally(path: &str) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: the caller keeps the promise.
    unsafe { libloading::Library::new(path) }
}

fn safe_context(library: &libloading::Library) -> Result<SafeContext, String> {
    // SAFETY: the types are those of the C header in the versions that have the function.
    unsafe {
        if let Ok(create) = library.get(b"LLVMOrcCreateNewThreadSafeContextFromLLVMContext\0") {
            return Ok(SafeContext::Around { create: *create });
        }
        let create = library.get(b"LLVMOrcCreateNewThreadSafeContext\0");
        let context = library.get(b"LLVMOrcThreadSafeContextGetContext\0");
        match (create, context) {
            (Ok(create), Ok(context)) => {
                Ok(SafeContext::Inside { create: *create, context: *context })
            }
            _ => Err("its ORC can't share a context".to_owned()),
        }
    }
}

/// Initialises the host's target.
fn initialise(library: &libloading::Library) -> Result<(), String> {
    let target = if cfg!(target_arch = "x86_64") {
        "X86"
    } else if cfg!(target_arch = "aarch64") {
        "AArch64"
    } else {
        return Err("no LLVM target is known for this architecture".to_owned());
    };
    for part in ["TargetInfo", "Target", "TargetMC", "AsmPrinter", "AsmParser"] {
        let symbol = format!("LLVMInitialize{target}{part}\0");
        // SAFETY: these functions take and return nothing.
        unsafe {
            let function: libloading::Symbol<'_, unsafe extern "C" fn()> =
                library.get(symbol.as_bytes()).map_err(|_| format!("it has no {symbol}"))?;
            function();
        }
    }
    Ok(())
}

/// Turns off an option that crashes. To save a copy, the two-address pass moves a use of a register above
/// another, and searches for it between the two. With LLVM 15, in about one of three thousand random kernels,
/// the search passed the block's end and read an invalid instruction.
fn set_options(library: &libloading::Library) {
    type Parse = unsafe extern "C" fn(c_int, *const *const c_char, *const c_char);
    let arguments = [c"coexec".as_ptr(), c"-twoaddr-reschedule=false".as_ptr()];
    // SAFETY: the type is that of the C header; the strings are constants. A version ignores options that it
    // does not know: errors go to a stream that drops them, and the process does not exit.
    unsafe {
        if let Ok(parse) = library.get::<Parse>(b"LLVMParseCommandLineOptions\0") {
            parse(arguments.len() as c_int, arguments.as_ptr(), std::ptr::null());
        }
    }
}

fn version(library: &libloading::Library) -> String {
    type GetVersion = unsafe extern "C" fn(*mut c_uint, *mut c_uint, *mut c_uint);
    // SAFETY: the type is that of the C header from LLVM 16 on; it writes three numbers.
    unsafe {
        let Ok(get) = library.get::<GetVersion>(b"LLVMGetVersion\0") else {
            return "LLVM 15".to_owned();
        };
        let (mut major, mut minor, mut patch) = (0, 0, 0);
        get(&mut major, &mut minor, &mut patch);
        format!("LLVM {major}.{minor}.{patch}")
    }
}

/// A C string; the texts passed here never contain a zero.
pub(super) fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "")).unwrap_or_default()
}
