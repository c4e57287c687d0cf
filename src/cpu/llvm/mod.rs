//! The LLVM back end: kernels in SPMD form as machine code, through a libLLVM found at run time.
//!
//! `library` finds and loads it, `emit*` write textual LLVM IR, `jit` turns that into code. What
//! always holds of a [`Program`]: its code touches the bindings of the launch inside of their
//! bounds, the scratch memory that it is lent, and nothing else. Who runs which workgroups is the
//! executor's business.

mod emit;
mod emit_atomic;
mod emit_flow;
mod emit_kernel;
mod emit_memory;
mod emit_ops;
mod jit;
mod library;
#[cfg(test)]
mod tests;

use std::alloc::Layout as Memory;

use super::Listing;
use emit::{AnyFunction, Features};
use emit_kernel::Word;
pub(crate) use library::Library;

use super::spmd;
use crate::device::{Chunk, ChunkBinding};
use crate::error::{Error, Result};
use crate::kernel::Kernel;

/// A kernel as machine code.
#[derive(Debug)]
pub(crate) struct Program {
    code: jit::Code,
    functions: Vec<AnyFunction>,
    scratch: u64,
    loops: Vec<naga::Span>,
    /// Gangs of one workgroup.
    gangs: u64,
}

/// The generated function: arguments, first workgroup of the chunk, workgroups, scratch memory.
type Run = unsafe extern "C" fn(*const u64, u64, u64, *mut u8) -> u32;

/// A scalar function of the interpreter for some lanes.
///
/// # Safety
/// `functions` points to a table that has an entry `index`; the others are valid for `lanes`
/// words, those that the function takes at least.
unsafe extern "C" fn apply(
    functions: *const AnyFunction,
    index: u32,
    a: *const u32,
    b: *const u32,
    c: *const u32,
    out: *mut u32,
    lanes: u32,
) {
    // SAFETY: the caller's; the generated code passes slots of its own frame.
    unsafe {
        let function = *functions.add(index as usize);
        for lane in 0..lanes as usize {
            *out.add(lane) = match function {
                AnyFunction::Unary(f) => f.eval([*a.add(lane)]),
                AnyFunction::Binary(f) => f.eval([*a.add(lane), *b.add(lane)]),
                AnyFunction::Ternary(f) => f.eval([*a.add(lane), *b.add(lane), *c.add(lane)]),
            };
        }
    }
}

/// Lanes of a gang on this machine.
pub(crate) fn width() -> u32 {
    #[cfg(target_arch = "x86_64")]
    if std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512dq") {
        return 16;
    }
    8
}

fn features() -> Features {
    #[cfg(target_arch = "x86_64")]
    {
        Features {
            fma: std::is_x86_feature_detected!("fma"),
            f16c: std::is_x86_feature_detected!("f16c"),
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    Features { fma: cfg!(target_arch = "aarch64"), f16c: cfg!(target_arch = "aarch64") }
}

fn emitted(kernel: &Kernel) -> Result<emit::Emitted> {
    let compiled = spmd::compile(kernel, width())?;
    emit_kernel::emit(kernel, &compiled.code, &compiled.shapes, &compiled.liveness, features())
}

/// Compiles a kernel.
///
/// # Errors
/// `Unsupported` for what only the interpreter runs, and [`Error::Device`] when there is no
/// libLLVM or it refuses.
pub(crate) fn compile(kernel: &Kernel) -> Result<Program> {
    let refused = |cause: String| Error::Device {
        device: "cpu".to_owned(),
        doing: "compile a kernel with LLVM".to_owned(),
        cause,
    };
    let library = Library::get().map_err(|cause| refused(cause.to_owned()))?;
    let emitted = emitted(kernel)?;
    let symbols = [
        ("coexec_apply", apply as *const () as u64),
        ("memset", memset as *const () as u64),
        ("memcpy", memcpy as *const () as u64),
    ];
    let code = jit::compile(library, &emitted.text, "coexec_run", &symbols).map_err(refused)?;
    let invocations: u64 =
        kernel.signature().workgroup_size.iter().map(|&n| u64::from(n)).product();
    Ok(Program {
        code,
        functions: emitted.functions,
        scratch: emitted.scratch,
        loops: emitted.loops,
        gangs: invocations.div_ceil(u64::from(width())),
    })
}

/// What is generated for a kernel, as text.
pub(crate) fn list(kernel: &Kernel, listing: Listing) -> Result<String> {
    let refused = |cause: String| Error::Device {
        device: "cpu".to_owned(),
        doing: "list a kernel with LLVM".to_owned(),
        cause,
    };
    let stage = match listing {
        Listing::Spmd => return Ok(spmd::print(&spmd::compile(kernel, width())?)),
        Listing::Llvm => return Ok(emitted(kernel)?.text),
        Listing::Optimised => jit::Stage::Optimised,
        Listing::Assembly => jit::Stage::Assembly,
    };
    let library = Library::get().map_err(|cause| refused(cause.to_owned()))?;
    jit::list(library, &emitted(kernel)?.text, stage).map_err(refused)
}

/// `memset`, for what LLVM does not spell out.
unsafe extern "C" fn memset(to: *mut u8, value: i32, bytes: usize) -> *mut u8 {
    // SAFETY: the generated code's.
    unsafe { std::ptr::write_bytes(to, value as u8, bytes) };
    to
}

/// `memcpy`, for what LLVM does not spell out.
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    // SAFETY: the generated code's.
    unsafe { std::ptr::copy_nonoverlapping(from, to, bytes) };
    to
}

/// A chunk's arguments in the form that the code takes.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    program: &'a Program,
    words: Vec<u64>,
    /// What uniforms hold, and a few zeros for buffers without elements.
    _values: Vec<Vec<u64>>,
    // The words hold the addresses of memory that the chunk borrows.
    _chunk: std::marker::PhantomData<&'a [u8]>,
}

/// The largest storage binding whose offsets in words fit an i32.
const MAX_BYTES: u64 = 1 << 33;

impl<'a> Launch<'a> {
    /// Collects the arguments.
    ///
    /// # Errors
    /// `Unsupported` for a buffer of more than 8 GiB.
    pub(crate) fn new(program: &'a Program, chunk: &'a Chunk<'_>) -> Result<Launch<'a>> {
        let mut words = vec![0; Word::Pointer(chunk.bindings.len()).index()];
        let mut values = Vec::new();
        words[Word::Functions.index()] = program.functions.as_ptr() as u64;
        // A gang counts for all of its lanes, and the regions of a workgroup count together.
        words[Word::Budget.index()] = chunk.loop_budget.saturating_mul(program.gangs.max(1) * 16);
        for axis in 0..3 {
            words[Word::Grid(axis).index()] = u64::from(chunk.grid[axis]);
            words[Word::First(axis).index()] = u64::from(chunk.groups.first[axis]);
            words[Word::Count(axis).index()] = u64::from(chunk.groups.count[axis]);
        }
        for (id, binding) in chunk.bindings.iter().enumerate() {
            let layout = &chunk.kernel.signature().bindings[id].layout;
            let mut lend = |bytes: &[u8], least: u64| {
                let len = (bytes.len() as u64).max(least).div_ceil(8) as usize;
                let mut value = vec![0u64; len];
                bytemuck::cast_slice_mut(&mut value)[..bytes.len()].copy_from_slice(bytes);
                values.push(value);
                values.last().map_or(0, |value| value.as_ptr() as u64)
            };
            let (pointer, elements) = match binding {
                ChunkBinding::Value(bytes) => (lend(bytes, layout.min_bytes()), 0),
                ChunkBinding::Storage { memory, elements, .. } => {
                    if memory.len() as u64 > MAX_BYTES {
                        return Err(Error::Unsupported {
                            what: "a buffer of more than 8 GiB in the CPU's compiler".to_owned(),
                            at: String::new(),
                        });
                    }
                    if (memory.len() as u64) < layout.header + layout.element_size {
                        // Reads that turn out to be outside touch the start.
                        (lend(&[], layout.header + layout.stride), 0)
                    } else {
                        (memory.words().as_ptr() as u64, *elements)
                    }
                }
            };
            words[Word::Pointer(id).index()] = pointer;
            words[Word::Elements(id).index()] = elements;
        }
        Ok(Launch { program, words, _values: values, _chunk: std::marker::PhantomData })
    }
}

/// Memory that a thread lends to the code, in one piece for all of its workgroups.
#[derive(Debug)]
pub(crate) struct Scratch {
    start: *mut u8,
    layout: Memory,
}

impl Scratch {
    pub(crate) fn new(program: &Program) -> Result<Scratch> {
        let failed = || Error::Device {
            device: "cpu".to_owned(),
            doing: "allocate a workgroup's memory".to_owned(),
            cause: format!("{} bytes are too many", program.scratch),
        };
        let bytes = usize::try_from(program.scratch.max(64)).map_err(|_| failed())?;
        let layout = Memory::from_size_align(bytes, 64).map_err(|_| failed())?;
        // SAFETY: the layout's size is not zero.
        let start = unsafe { std::alloc::alloc_zeroed(layout) };
        if start.is_null() { Err(failed()) } else { Ok(Scratch { start, layout }) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, freed once.
        unsafe { std::alloc::dealloc(self.start, self.layout) }
    }
}

impl Launch<'_> {
    /// Runs workgroups `first` to `first + count` of the chunk.
    ///
    /// # Errors
    /// The text of a loop that did not end.
    pub(crate) fn run(
        &self,
        first: u64,
        count: u64,
        scratch: &mut Scratch,
    ) -> Result<(), naga::Span> {
        // SAFETY: the address is that of a function of this type, in code that `program` keeps.
        // The arguments are in the order of `Word`; bindings are borrowed for as long as the
        // launch, buffers are as long as their number of elements says, and the scratch memory
        // has the size that was asked for and is ours alone.
        let status = unsafe {
            let run: Run = std::mem::transmute(self.program.code.address() as usize);
            run(self.words.as_ptr(), first, count, scratch.start)
        };
        match status {
            0 => Ok(()),
            status => {
                let span = self.program.loops.get(status as usize - 1);
                Err(span.copied().unwrap_or_default())
            }
        }
    }
}
