//! Checks a launch: runs it on one thread, on copies of the buffers that the kernel writes, for findings
//! instead of results.

use std::sync::atomic::AtomicBool;

use crate::cpu::{self, Findings, Wanted};
use crate::device::{Chunk, ChunkBinding, HostBytes};
use crate::error::Result;
use crate::grid::GroupBox;
use crate::kernel::Space;
use crate::memory::{Buffer, BufferRange, reserve};
use crate::runtime::execution::Checked;

/// Runs a launch in the checker. The caller's buffers do not change.
pub(crate) fn check(launch: &Checked, lints: bool) -> Result<Findings> {
    let parts = launch.reservations();
    let reading = parts.iter().map(|(name, part, _)| (name.clone(), part.clone(), false));
    let given = reserve(reading.collect());
    let views = given.wait()?;
    given.fetch()?;
    let mut copies: Vec<(String, BufferRange, bool)> = Vec::new();
    for ((name, _, writes), view) in parts.iter().zip(&views) {
        if *writes {
            let copy = Buffer::<u8>::zeroed(view.len());
            copies.push((name.clone(), BufferRange::from(&copy), true));
        }
    }
    let copies = reserve(copies);
    let mut copied = copies.wait()?.into_iter();
    let memory: Vec<HostBytes<'_>> = parts
        .iter()
        .zip(&views)
        .map(|((_, _, writes), view)| match writes.then(|| copied.next()).flatten() {
            Some(copy) => {
                duplicate(*view, copy);
                copy
            }
            None => *view,
        })
        .collect();
    let memory = launch.memory(memory);
    let bindings = &launch.kernel.signature().bindings;
    let bindings = bindings
        .iter()
        .zip(&memory)
        .zip(&launch.values)
        .map(|((binding, memory), value)| match binding.space {
            Space::Uniform | Space::Immediate => ChunkBinding::Value(value),
            Space::StorageRead | Space::StorageWrite => {
                let elements = binding.layout.elements(memory.len() as u64);
                ChunkBinding::Storage {
                    memory: *memory,
                    elements,
                    window: 0..elements,
                    upload: 0..elements,
                    write_back: (0..elements).into(),
                    write_header: true,
                    pitch: None,
                }
            }
        })
        .collect();
    let groups = GroupBox::whole(launch.grid);
    let chunk = Chunk::new(&launch.kernel, launch.grid, groups, bindings, launch.loop_budget);
    let wanted = Wanted { lints, chunks: launch.wishes.chunks };
    let subgroup_size = cpu::CpuOptions::default().subgroup_size;
    cpu::check(&chunk, subgroup_size, wanted, &AtomicBool::new(false))
}

/// Copies a view piece by piece.
fn duplicate(from: HostBytes<'_>, to: HostBytes<'_>) {
    let mut piece = vec![0; from.len().min(1 << 16)];
    let mut at = 0;
    while at < from.len() {
        let len = piece.len().min(from.len() - at);
        from.read(at, &mut piece[..len]);
        to.write(at, &piece[..len]);
        at += len;
    }
}
