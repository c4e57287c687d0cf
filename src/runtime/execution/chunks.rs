//! Makes the chunks of a planned launch, and the private copies that they write to.
//!
//! A chunk writes in place if the plan proves that bands write disjoint elements. It writes to copies of
//! merged buffers. A chunk that is computed a second time writes to copies of all its outputs.

use std::ops::Range;
use std::time::Duration;

use super::merge::{self, Changes};
use super::planned::Planned;
use crate::device::{Cancel, Chunk, ChunkBinding, DeviceInfo, HostBytes};
use crate::error::{Error, FailureKind, Result};
use crate::kernel::Space;
use crate::memory::{Copies, PrivateCopy};
use crate::plan::{Merge, Task};

/// Makes the chunks of a launch.
pub(super) struct Chunks<'p> {
    planned: &'p Planned<'p>,
    /// The memory of private copies.
    copies: Copies,
    /// The number of cores that the CPU leaves free for feeding GPUs.
    pub(super) spare: usize,
}

impl<'p> Chunks<'p> {
    pub(super) fn new(planned: &'p Planned<'p>, spare: usize) -> Chunks<'p> {
        Chunks { planned, copies: Copies::default(), spare }
    }

    /// Copies of the buffers that a chunk must not write in place, filled with the elements it needs.
    pub(super) fn private_copies(
        &self,
        task: &Task,
        info: &DeviceInfo,
    ) -> Result<Vec<(usize, PrivateCopy<'_>)>> {
        let bindings = &self.planned.checked.kernel.signature().bindings;
        self.copies_of(&info.id, |id| {
            let apart = *self.planned.plan.merge(id) == Merge::Apart;
            // A second run must not touch elements that the first is writing in place.
            let second = task.redoes.is_some() && bindings[id].space == Space::StorageWrite;
            (!apart || second).then(|| self.planned.plan.window(&task.run, id))
        })
    }

    /// Copies of the buffers for which `needed` gives a range of elements, filled with that range.
    pub(super) fn copies_of(
        &self,
        device: &str,
        needed: impl Fn(usize) -> Option<Range<u64>>,
    ) -> Result<Vec<(usize, PrivateCopy<'_>)>> {
        let mut copies = Vec::new();
        for (id, binding) in self.planned.checked.kernel.signature().bindings.iter().enumerate() {
            let Some(elements) = needed(id) else { continue };
            let Some(copy) = self.copies.take(self.planned.memory[id].len()) else {
                self.give_back(&copies);
                return Err(Error::Device {
                    device: device.to_owned(),
                    kind: FailureKind::Refused,
                    doing: format!("make a copy of `{}`", binding.name),
                    cause: "the host has no memory left for it".to_owned(),
                });
            };
            merge::fill(copy.bytes, self.planned.memory[id], binding, &elements);
            copies.push((id, copy));
        }
        Ok(copies)
    }

    /// Gives copies back, for use by other chunks.
    pub(super) fn give_back(&self, copies: &[(usize, PrivateCopy<'_>)]) {
        for (_, copy) in copies {
            self.copies.give_back(copy);
        }
    }

    /// The changes of a finished chunk in its copies of merged buffers.
    pub(super) fn changes(
        &self,
        run: &Range<u32>,
        copies: &[(usize, PrivateCopy<'_>)],
    ) -> Vec<Changes> {
        let merged = copies.iter().filter(|(id, _)| *self.planned.plan.merge(*id) != Merge::Apart);
        merged.map(|(id, copy)| self.changes_of(run, *id, copy.bytes)).collect()
    }

    /// The changes of a finished chunk in its copy of a buffer.
    pub(super) fn changes_of(&self, run: &Range<u32>, id: usize, copy: HostBytes<'_>) -> Changes {
        let binding = &self.planned.checked.kernel.signature().bindings[id];
        let footprint = self.planned.plan.footprint(run, id);
        let written = (&footprint.may_write.hull(), footprint.writes_header);
        let (buffer, merge) = (self.planned.memory[id], self.planned.plan.merge(id));
        merge::changes(copy, buffer, binding, merge, written, (run.start, id))
    }

    /// The chunk for a run of bands. It has the copies in place of their buffers.
    pub(super) fn chunk<'s>(
        &'s self,
        run: &Range<u32>,
        copies: &[(usize, PrivateCopy<'s>)],
        cancel: Option<&'s Cancel<'s>>,
        deadline: Option<Duration>,
    ) -> Chunk<'s> {
        let bindings = self.planned.checked.kernel.signature().bindings.iter().enumerate();
        let bindings = bindings
            .map(|(id, binding)| {
                if binding.space.is_storage() {
                    let copy = copies.iter().find(|copy| copy.0 == id);
                    let memory = copy.map_or(self.planned.memory[id], |(_, copy)| copy.bytes);
                    let (plan, stride) = (&self.planned.plan, binding.layout.stride);
                    plan.chunk_storage(stride, run, id, memory, self.planned.elements[id])
                } else {
                    ChunkBinding::Value(&self.planned.checked.values[id])
                }
            })
            .collect();
        Chunk {
            kernel: &self.planned.checked.kernel,
            grid: self.planned.plan.grid,
            groups: self.planned.plan.groups(run),
            bindings,
            loop_budget: self.planned.checked.loop_budget,
            spare: self.spare,
            deadline,
            cancel,
        }
    }

    /// Copies the results of a run from its copies to the buffers that are not merged.
    pub(super) fn put_in_place(&self, run: &Range<u32>, copies: &[(usize, PrivateCopy<'_>)]) {
        let Planned { checked, plan, memory, .. } = self.planned;
        for (id, copy) in copies {
            if *plan.merge(*id) == Merge::Apart {
                let written = plan.footprint(run, *id).may_write;
                let binding = &checked.kernel.signature().bindings[*id];
                merge::put_back(copy.bytes, memory[*id], binding, &written);
            }
        }
    }
}
