//! A launch under way: its plan, and what it has while it runs.

use std::ops::Range;

use super::merge::{self, Changes};
use super::planned::Planned;
use super::planning;
use super::recording::{Logged, Recording};
use super::residency::Residency;
use crate::device::DeviceInfo;
use crate::error::{Error, FailureKind, Result};
use crate::kernel::Space;
use crate::memory::{Copies, PrivateCopy};
use crate::plan::{Merge, Task};
use crate::runtime::history::{Cores, Way};

/// A launch that runs.
pub(crate) struct Running<'a> {
    pub(crate) planned: Planned<'a>,
    /// What chunks write to instead of buffers that are merged.
    copies: Copies,
    /// What stays on devices.
    pub(crate) residency: Residency,
    /// What the log keeps of the launch.
    pub(crate) recording: Recording,
    /// The device that does it alone, as that is faster or is tried.
    pub(crate) alone: Way,
    /// Which of the launches that run at once it is, if others do.
    pub(crate) place: Option<usize>,
}

impl<'a> Running<'a> {
    /// Begins a launch. `place` counts the launches that run beside it; the others then have what runs beside it, and no
    /// device does it alone.
    pub(crate) fn new(mut planned: Planned<'a>, place: Option<usize>) -> Running<'a> {
        let checked = planned.checked;
        let bindings = &checked.kernel.signature().bindings;
        // What is put back or verified is so in the host's memory.
        let nothing = vec![false; planned.plan.apart.len()];
        let apart = if checked.keeps_before() { &nothing[..] } else { &planned.plan.apart };
        let devices = checked.devices.iter().map(|member| &member.device);
        let memories = &checked.resources.memories;
        let residency = Residency::new(memories, devices, bindings, &checked.buffers, apart);
        let memo = &checked.resources.memo;
        let mut alone = None;
        if let Some(workgroups) = planned.may_be_alone() {
            let way = memo.alone(&checked.kernel, |alone| alone.way(workgroups)).flatten();
            alone = way.filter(|&device| planned.takes_part(device));
        }
        let leave = |cores: &mut Cores| cores.leave();
        if let (Some(gpus), None) = (planned.fed(), alone)
            && memo.cores(&checked.kernel, leave) == Some(true)
        {
            planned.spare = gpus;
        }
        if place.is_some() {
            alone = None;
        }
        let (copies, recording) = (Copies::default(), Recording::default());
        Running { planned, copies, residency, recording, alone, place }
    }

    /// The launch in finer bands, if it can be cut finer.
    pub(crate) fn finer(&self) -> Option<Running<'a>> {
        planning::finer(&self.planned).map(|finer| Running::new(finer, None))
    }

    /// The workgroups of a launch that one device might do alone.
    pub(crate) fn may_be_alone(&self) -> Option<u64> {
        self.planned.may_be_alone().filter(|_| self.place.is_none())
    }

    /// What the log needs to know of it.
    pub(crate) fn logged(&self) -> Logged<'_> {
        (&self.planned, &self.residency, &self.recording)
    }

    /// Copies of the buffers that a chunk must not write in place, with what it needs of them.
    pub(crate) fn private_copies(
        &self,
        task: &Task,
        info: &DeviceInfo,
    ) -> Result<Vec<(usize, PrivateCopy<'_>)>> {
        let bindings = &self.planned.checked.kernel.signature().bindings;
        self.copies_of(&info.id, |id| {
            let apart = *self.planned.plan.merge(id) == Merge::Apart;
            // What is computed a second time must not meet what the first does in place.
            let second = task.redoes.is_some() && bindings[id].space == Space::StorageWrite;
            (!apart || second).then(|| self.planned.plan.window(&task.run, id))
        })
    }

    /// Copies of some elements of those buffers of which a chunk needs one.
    pub(crate) fn copies_of(
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

    pub(crate) fn give_back(&self, copies: &[(usize, PrivateCopy<'_>)]) {
        for (_, copy) in copies {
            self.copies.give_back(copy);
        }
    }

    /// What a chunk that is done changed in its copies of buffers that are merged.
    pub(crate) fn changes(
        &self,
        run: &Range<u32>,
        copies: &[(usize, PrivateCopy<'_>)],
    ) -> Vec<Changes> {
        let merged = copies.iter().filter(|(id, _)| *self.planned.plan.merge(*id) != Merge::Apart);
        merged.map(|(id, copy)| self.planned.changes_of(run, *id, copy.bytes)).collect()
    }
}
