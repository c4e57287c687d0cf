//! The reference interpreter: runs a batch of workgroups in lockstep, each operation for all invocations before
//! the next.
//!
//! `compile` turns the normalised module into a [`Program`] of operations on planes (`bytecode`), and `machine`
//! runs it. The interpreter is the oracle for other engines, so it is written to be plainly right first. It is
//! fast enough because an operation is dispatched once for a whole batch of workgroups.

pub(in crate::cpu) mod functions;
pub(in crate::cpu) mod shape;
mod touch;

mod address;
pub(in crate::cpu) mod class;

pub(in crate::cpu) mod note;
mod planes;

pub(in crate::cpu) mod bytecode;
mod place;
mod probe;

mod allocate;
pub(in crate::cpu) mod memory;
mod subgroup;

pub(in crate::cpu) mod compiler;
mod machine;

mod addressing;
mod numeric;

pub(in crate::cpu) mod notes;

pub(in crate::cpu) mod places;

pub(in crate::cpu) mod expressions;

pub(in crate::cpu) mod together;
pub(in crate::cpu) mod variables;

mod statements;

mod compile;

use std::sync::atomic::AtomicBool;

pub(crate) use bytecode::Program;
pub(crate) use compile::compile;
pub(in crate::cpu) use compile::compile_watched;
pub(crate) use machine::{Halt, Launch, Machine};
#[cfg_attr(not(test), allow(unused_imports))]
pub(crate) use probe::Probe;
pub(crate) use touch::Touch;

use crate::device::{Chunk, ChunkBinding};
use memory::Bound;

/// Converts a chunk's bindings to the form that machines take.
pub(crate) fn launch<'a>(
    program: &'a Program,
    chunk: &Chunk<'a>,
    stop: &'a AtomicBool,
) -> Launch<'a> {
    let bounds = chunk
        .bindings
        .iter()
        .map(|binding| match binding {
            ChunkBinding::Value(bytes) => Bound::Value(
                bytes
                    .chunks(4)
                    .map(|part| {
                        let mut word = [0; 4];
                        word[..part.len()].copy_from_slice(part);
                        u32::from_ne_bytes(word)
                    })
                    .collect(),
            ),
            ChunkBinding::Storage { memory, elements, .. } => {
                Bound::Storage { bytes: *memory, words: memory.words(), elements: *elements }
            }
        })
        .collect();
    Launch {
        program,
        bounds,
        grid: chunk.grid,
        first: chunk.groups.first,
        count: chunk.groups.count,
        loop_budget: chunk.loop_budget,
        stop,
        cancel: chunk.cancel,
    }
}

/// The number of workgroups that run in lockstep.
pub(crate) fn batch_size(program: &Program) -> u64 {
    u64::from(program.pack)
}
