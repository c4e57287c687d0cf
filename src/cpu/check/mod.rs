//! Check mode: runs a chunk under watch, to find errors in the kernel itself.
//!
//! The interpreter runs a program that was compiled with notes (`interpreter::note`), one batch of workgroups
//! after the other on one thread. [`watch`] receives every access and every barrier. `shadow` records the last
//! accesses to each scalar and finds races, `lints` finds suspicious code, `findings` has the result,
//! `addresses` and `words` turn it into text.
//!
//! An error among the findings really happened, by WGSL's own rules and on this launch's data. An error that
//! does not happen on this data is not found.
//!
//! Rules where another choice was possible:
//! - Only barriers order accesses, and only those of one workgroup: `workgroupBarrier` and
//!   `workgroupUniformLoad` order accesses to workgroup memory, `storageBarrier` those to storage. So data
//!   that a workgroup exchanges through storage with `workgroupBarrier` alone is a race, as WGSL
//!   says, although it works on much hardware. Atomics are relaxed and order nothing.
//! - Atomics never race: WGSL allows no other access to their memory.
//! - Two writes race even when they write the same value.
//! - A barrier that some invocations reach while others have returned is divergent. Execution
//!   counts the returned ones as arrived.
//! - The same holds for subgroup operations and the invocations of a subgroup, of the CPU's
//!   subgroup size. WGSL requires uniform control flow for both.
//! - The index of a pointer is checked when the pointer is used, not when it is made.
//! - A store to a component of a vector touches that component only.

mod addresses;
mod findings;
mod lints;
mod shadow;

mod words;

mod watch;

use std::sync::atomic::AtomicBool;

pub(crate) use findings::Wanted;
pub use findings::{Action, Finding, Findings, Invocation, Rule, Witness};

use super::interpreter::{self, Halt, Machine};
use crate::device::Chunk;
use crate::error::{Error, Result};
use crate::kernel::isolated;
use watch::Watcher;

/// The most sites, which are distinct places in the text, that a check can number.
const MAX_SITES: usize = (1 << 16) - 1;

/// Runs the chunk and returns the findings. Writes to the chunk's memory as any run does.
pub(crate) fn check(
    chunk: &Chunk<'_>,
    subgroup_size: u32,
    wanted: Wanted,
    stop: &AtomicBool,
) -> Result<Findings> {
    let size = chunk.kernel.signature().workgroup_size;
    let invocations = size.iter().try_fold(1u32, |n, &extent| n.checked_mul(extent));
    if invocations.is_none_or(|n| n > 1 << 16) {
        return Err(Error::Unsupported {
            what: format!("a workgroup of {size:?} invocations (check takes at most 65536)"),
            at: String::new(),
        });
    }
    let total = u64::try_from(chunk.groups.workgroups())
        .ok()
        .filter(|&total| total < u64::from(u32::MAX))
        .ok_or_else(|| Error::Grid("check takes fewer than 2^32 - 1 workgroups".to_owned()))?;
    let program = isolated("cpu::check (compiling)", || {
        interpreter::compile_watched(chunk.kernel, subgroup_size, wanted.lints)
    })?;
    if program.sites.len() > MAX_SITES {
        return Err(Error::Unsupported {
            what: "a kernel with more than 65535 places that touch memory, in check".to_owned(),
            at: String::new(),
        });
    }
    if total == 0 {
        return Ok(Findings::default());
    }
    let launch = interpreter::launch(&program, chunk, stop);
    let mut machine = Machine::new(&launch);
    let mut watcher = Watcher::new(chunk, &program, wanted);
    let mut start = 0;
    let mut stopped = None;
    let mut done = 0;
    while start < total {
        let batch = interpreter::batch_size(&program).min(total - start);
        watcher.begin(start, batch);
        match machine.batch(&launch, start, total, &mut watcher) {
            Ok(()) => {}
            Err(Halt::Stopped) => return Err(Error::Cancelled),
            Err(Halt::EndlessLoop(span)) => {
                let at = chunk.kernel.source().render(span);
                stopped = Some(Error::EndlessLoop { budget: chunk.loop_budget, device: None, at });
                break;
            }
        }
        start += batch;
        done = start;
        tracing::trace!(target: "coexec::progress", done, total);
        if stop.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
    }
    let found = watcher.findings(done);
    match stopped {
        // The findings may explain why the loop does not end.
        Some(error) if found.errors() == 0 => Err(error),
        Some(error) => Ok(Findings { stopped: Some(error.to_string()), ..found }),
        None => Ok(found),
    }
}
