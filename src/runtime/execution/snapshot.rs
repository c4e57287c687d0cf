//! The contents of a launch's buffers from before it wrote them in place.
//!
//! A snapshot is taken for a transactional launch, which restores it on failure, and for a verified launch,
//! whose chunks may have to be computed again from their input. Merged buffers need none: they do not change
//! before the launch ends.

use std::ops::Range;

use super::merge;
use super::planned::Planned;
use crate::device::HostBytes;
use crate::error::{Error, FailureKind, Result};
use crate::memory::{Copies, PrivateCopy};
use crate::plan::Merge;

/// By binding: a copy of the elements that the launch may touch, at the same offsets.
pub(super) struct Snapshot<'a> {
    copies: Vec<Option<PrivateCopy<'a>>>,
}

impl<'a> Snapshot<'a> {
    /// # Errors
    /// [`Error::Device`] when the host has no memory for it.
    pub(super) fn take(planned: &Planned<'_>, memory: &'a Copies) -> Result<Snapshot<'a>> {
        let bindings = planned.checked.kernel.signature().bindings.iter().enumerate();
        let copies = bindings.map(|(id, binding)| {
            if !binding.space.is_storage() || *planned.plan.merge(id) != Merge::Apart {
                return Ok(None);
            }
            let all = planned.all();
            let footprint = planned.plan.footprint(&all, id);
            if footprint.may_write.is_empty() && !footprint.writes_header {
                return Ok(None);
            }
            let from = planned.memory[id];
            let copy = memory.take(from.len()).ok_or_else(|| Error::Device {
                device: "host".to_owned(),
                kind: FailureKind::OutOfMemory,
                doing: format!("keep the contents of `{}` before the launch", binding.name),
                cause: format!("the host has no {} bytes of memory left", from.len()),
            })?;
            // The window has the elements that are read, too, for chunks that are computed again.
            merge::fill(copy.bytes, from, binding, &planned.plan.window(&all, id));
            Ok(Some(copy))
        });
        Ok(Snapshot { copies: copies.collect::<Result<_>>()? })
    }

    /// The former contents of a binding, if it is written in place.
    pub(super) fn of(&self, binding: usize) -> Option<HostBytes<'a>> {
        self.copies[binding].as_ref().map(|copy| copy.bytes)
    }

    /// Restores the elements that a run of bands may have written.
    pub(super) fn restore(&self, planned: &Planned<'_>, run: &Range<u32>) {
        for (id, binding) in planned.checked.kernel.signature().bindings.iter().enumerate() {
            let Some(copy) = self.of(id) else { continue };
            let (to, layout) = (planned.memory[id], &binding.layout);
            let footprint = planned.plan.footprint(run, id);
            if footprint.writes_header {
                put(copy, to, 0..layout.header);
            }
            footprint.may_write.for_each_run(|elements| {
                let at = |element: u64| layout.header + element * layout.stride;
                put(copy, to, at(elements.start)..at(elements.end));
            });
        }
    }
}

/// Copies a range of bytes to the same place.
fn put(from: HostBytes<'_>, to: HostBytes<'_>, range: Range<u64>) {
    let end = range.end.min(to.len() as u64) as usize;
    let (mut at, mut piece) = (range.start as usize, [0; 8192]);
    while at < end {
        let piece = &mut piece[..8192.min(end - at)];
        from.read(at, piece);
        to.write(at, piece);
        at += piece.len();
    }
}
