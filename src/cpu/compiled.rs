//! A kernel as machine code of either back end: its arguments, its memory, its calls.
//!
//! The generated function runs a range of workgroups of a chunk. Its arguments come as one array of 64-bit
//! words, in the order of [`Word`]. The code touches only the launch's bindings, within their bounds, and the
//! scratch memory that it is lent. The executor decides which thread runs which workgroups.

use std::alloc::Layout as Memory;
use std::fmt::Debug;

use super::interpreter::functions::{Binary, Ternary, Unary};
use super::spmd::ir;
use crate::device::{Chunk, ChunkBinding};
use crate::error::{Error, FailureKind, Result};
use crate::grid::GroupBox;
use crate::kernel::Kernel;

/// Memory that holds machine code.
///
/// # Safety
/// While the value lives, `address` is the address of a function of type [`Run`]. The function
/// touches only the memory that its arguments name, in the order of [`Word`], and the scratch memory
/// that its program asks for.
pub(in crate::cpu) unsafe trait Code: Debug + Send + Sync {
    /// The address of the function.
    fn address(&self) -> u64;
}

/// A kernel as machine code.
#[derive(Debug)]
pub(crate) struct Program {
    code: Box<dyn Code>,
    needs: Needs,
    /// Gangs of one packed workgroup. `packed` workgroups of the launch are executed as one.
    gangs: u64,
    packed: u32,
}

/// The run-time needs of generated code.
#[derive(Debug, Default)]
pub(in crate::cpu) struct Needs {
    /// Functions that the code calls by number.
    pub(in crate::cpu) functions: Vec<AnyFunction>,
    /// Bytes of scratch memory that each thread lends.
    pub(in crate::cpu) scratch: u64,
    /// The source of the loop that each status stands for, from 1 on.
    pub(in crate::cpu) loops: Vec<naga::Span>,
}

impl Program {
    /// A kernel's code.
    pub(in crate::cpu) fn new(kernel: &ir::Kernel, code: Box<dyn Code>, needs: Needs) -> Program {
        Program { code, needs, gangs: kernel.gangs(), packed: kernel.packed }
    }

    /// The number of workgroups along x that are executed as one. A box must have a multiple of it
    /// along x.
    pub(in crate::cpu) fn packed(&self) -> u32 {
        self.packed
    }
}

/// An argument, and its place in the array of arguments, in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cpu) enum Word {
    /// The table of functions that are called by number.
    Functions,
    /// Iterations that a gang may take in loops that may not end.
    Budget,
    /// Workgroups of the launch along an axis.
    Grid(usize),
    /// The first workgroup of the chunk along an axis.
    First(usize),
    /// Packed workgroups of the chunk along an axis.
    Count(usize),
    /// The address of a binding.
    Pointer(usize),
    /// Elements of a binding's array.
    Elements(usize),
}

impl Word {
    pub(in crate::cpu) fn index(self) -> usize {
        match self {
            Word::Functions => 0,
            Word::Budget => 1,
            Word::Grid(axis) => 2 + axis,
            Word::First(axis) => 5 + axis,
            Word::Count(axis) => 8 + axis,
            Word::Pointer(binding) => 11 + 2 * binding,
            Word::Elements(binding) => 12 + 2 * binding,
        }
    }
}

/// A scalar function that generated code calls by its index in the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cpu) enum AnyFunction {
    Unary(Unary),
    Binary(Binary),
    Ternary(Ternary),
}

/// The generated function: arguments, first workgroup of the chunk, workgroups, scratch memory.
type Run = unsafe extern "C" fn(*const u64, u64, u64, *mut u8) -> u32;

/// Applies a scalar function of the interpreter to some lanes.
///
/// # Safety
/// `functions` points to a table that has an entry `index`. `out` and the operands that the function takes are
/// valid for `lanes` words.
pub(in crate::cpu) unsafe extern "C" fn apply(
    functions: *const AnyFunction,
    index: u32,
    a: *const u32,
    b: *const u32,
    c: *const u32,
    out: *mut u32,
    lanes: u32,
) {
    // SAFETY: the generated code, the only caller, passes the table that its launch keeps alive, an
    // index that the emitter gave out, and slots of its own frame with room for a gang's lanes.
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

/// Sets memory to zero.
///
/// # Safety
/// The caller has exclusive access to `bytes` bytes at `at`.
pub(in crate::cpu) unsafe extern "C" fn zero(at: *mut u8, bytes: u64) {
    // SAFETY: the generated code, the only caller, names a part of its own frame or scratch memory.
    unsafe { std::ptr::write_bytes(at, 0, bytes as usize) }
}

/// A chunk's arguments in the form that the code takes.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    program: &'a Program,
    words: Vec<u64>,
    /// The values of uniforms, and zeros for buffers without elements.
    _values: Vec<Vec<u64>>,
    // The words hold addresses of memory that the chunk borrows.
    _chunk: std::marker::PhantomData<&'a [u8]>,
}

/// The size in bytes of the largest storage binding whose offsets fit an i32. Offsets are in words, or in half
/// words if the kernel has f16.
fn most_bytes(kernel: &Kernel) -> u64 {
    let is_half = |ty: &naga::Type| ty.inner.scalar().is_some_and(|scalar| scalar.width == 2);
    if kernel.module().types.iter().any(|(_, ty)| is_half(ty)) { 1 << 32 } else { 1 << 33 }
}

/// Whether compiled code of a kernel can address all of `bytes` bytes.
fn reaches(kernel: &Kernel, bytes: u64) -> bool {
    bytes <= 1 << 32 || bytes <= most_bytes(kernel)
}

/// Whether compiled code can address all elements of a chunk's buffers.
pub(in crate::cpu) fn takes(chunk: &Chunk<'_>) -> bool {
    chunk.bindings.iter().all(|binding| match binding {
        ChunkBinding::Storage { memory, .. } => reaches(chunk.kernel, memory.len() as u64),
        ChunkBinding::Value(_) => true,
    })
}

impl<'a> Launch<'a> {
    /// Collects the arguments to run `groups`, a part of the chunk.
    ///
    /// # Errors
    /// `Unsupported` for a buffer of more than 8 GiB, or 4 GiB if the kernel has f16.
    pub(crate) fn new(
        program: &'a Program,
        chunk: &'a Chunk<'_>,
        groups: GroupBox,
    ) -> Result<Launch<'a>> {
        let mut words = vec![0; Word::Pointer(chunk.bindings.len()).index()];
        let mut values = Vec::new();
        words[Word::Functions.index()] = program.needs.functions.as_ptr() as u64;
        // One budget counts the turns of all lanes of a gang, and of all regions of a workgroup.
        words[Word::Budget.index()] = chunk.loop_budget.saturating_mul(program.gangs.max(1) * 16);
        for axis in 0..3 {
            words[Word::Grid(axis).index()] = u64::from(chunk.grid[axis]);
            words[Word::First(axis).index()] = u64::from(groups.first[axis]);
            words[Word::Count(axis).index()] = u64::from(groups.count[axis]);
        }
        words[Word::Count(0).index()] /= u64::from(program.packed);
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
                    if !reaches(chunk.kernel, memory.len() as u64) {
                        let most = most_bytes(chunk.kernel) >> 30;
                        return Err(Error::Unsupported {
                            what: format!("a buffer of more than {most} GiB in the CPU's compiler"),
                            at: String::new(),
                        });
                    }
                    if (memory.len() as u64) < layout.header + layout.element_size {
                        // An out-of-bounds read loads from the start of the buffer.
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

/// Memory that a thread lends to the code: one block for all of its workgroups.
#[derive(Debug)]
pub(crate) struct Scratch {
    start: *mut u8,
    layout: Memory,
}

impl Scratch {
    pub(crate) fn new(program: &Program) -> Result<Scratch> {
        let failed = || Error::Device {
            device: "cpu".to_owned(),
            kind: FailureKind::OutOfMemory,
            doing: "allocate a workgroup's memory".to_owned(),
            cause: format!("the host has no {} bytes of memory left", program.needs.scratch),
        };
        let bytes = usize::try_from(program.needs.scratch.max(64)).map_err(|_| failed())?;
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
    /// Runs `count` packed workgroups from `first` on.
    ///
    /// # Errors
    /// The source of a loop that did not end.
    pub(crate) fn run(
        &self,
        first: u64,
        count: u64,
        scratch: &mut Scratch,
    ) -> Result<(), naga::Span> {
        // SAFETY: the address is that of a function of this type, in code that `program` keeps. The arguments
        // are in the order of `Word`. Bindings are borrowed for as long as the launch, and buffers are as long
        // as their number of elements says. The scratch memory has the size that the program asked for, and no
        // other thread uses it.
        let status = unsafe {
            let run: Run = std::mem::transmute(self.program.code.address() as usize);
            run(self.words.as_ptr(), first, count, scratch.start)
        };
        match status {
            0 => Ok(()),
            status => {
                let span = self.program.needs.loops.get(status as usize - 1);
                Err(span.copied().unwrap_or_default())
            }
        }
    }
}
