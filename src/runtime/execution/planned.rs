//! A launch whose buffers are granted, and its plan. Nothing of it has run.

use std::ops::Range;
use std::time::Duration;

use super::checked::Checked;
use super::merge::{self, Changes};
use super::reruns::Counted;
use crate::device::{Cancel, Chunk, ChunkBinding, DeviceKind, HostBytes};
use crate::kernel::Binding;
use crate::memory::{BufferRange, PrivateCopy};
use crate::plan::{Merge, Plan, Speed, Split};
use crate::runtime::fleet::Member;
use crate::runtime::history::{Expected, guess};
use crate::runtime::report::{DeviceReport, FailureEvent};

/// A launch with its plan.
pub(crate) struct Planned<'a> {
    pub(crate) checked: &'a Checked,
    pub(crate) memory: &'a [HostBytes<'a>],
    /// By binding; 0 for values.
    pub(crate) elements: Vec<u64>,
    pub(crate) plan: Plan,
    /// By device: why it can't run the kernel.
    pub(crate) unable: Vec<Option<String>>,
    /// Failures that were met before anything ran.
    pub(crate) events: Vec<FailureEvent>,
    /// Cores that the CPU leaves for feeding GPUs.
    pub(crate) spare: usize,
}

impl Planned<'_> {
    /// Whether the plan would be no better if more contents were known: no footprint had to be
    /// widened, or one device does it all anyway.
    pub(crate) fn knows_enough(&self) -> bool {
        let bands = self.plan.bands().iter();
        let mut footprints = bands.flat_map(|band| &band.footprints);
        self.unable.iter().filter(|why| why.is_none()).count() <= 1
            || footprints.all(|footprint| footprint.unbounded.is_none())
    }

    /// Whether the plan gives a device a part.
    pub(crate) fn takes_part(&self, device: usize) -> bool {
        self.unable.get(device).is_some_and(Option::is_none)
            && self.plan.devices[device].left_out.is_none()
    }

    /// The workgroups of a launch that several devices share, or one of them might do alone. Logical
    /// devices of one piece of hardware are there to share: alone each would have all of it.
    pub(crate) fn may_be_alone(&self) -> Option<u64> {
        let Checked { devices, wishes, verification, .. } = self.checked;
        let split = matches!(self.plan.split, Split::Bands { .. });
        let free = !wishes.reproducible && wishes.chunks.is_none() && verification.fraction == 0.0;
        let several = (0..devices.len()).filter(|&device| self.takes_part(device)).count() > 1;
        let whole = |member: &Member| !member.device.info().id.contains('.');
        let groups = || self.plan.groups(&(0..self.plan.bands().len() as u32)).workgroups();
        let may = split && free && several && devices.iter().all(whole);
        may.then(|| u64::try_from(groups()).unwrap_or(u64::MAX))
    }

    /// How many GPUs the launch is shared with, where the CPU takes part and shares are not fixed.
    pub(crate) fn fed(&self) -> Option<usize> {
        let wishes = &self.checked.wishes;
        let split = matches!(self.plan.split, Split::Bands { .. });
        let able = self.checked.devices.iter().zip(&self.unable).zip(&self.plan.devices);
        let able = able.filter(|((_, no), planned)| no.is_none() && planned.left_out.is_none());
        let (cpus, gpus): (Vec<_>, Vec<_>) =
            able.partition(|((member, _), _)| member.device.info().kind == DeviceKind::Cpu);
        let shared = !cpus.is_empty() && !gpus.is_empty();
        (split && shared && !wishes.reproducible && wishes.chunks.is_none()).then_some(gpus.len())
    }

    /// All bands.
    pub(crate) fn all(&self) -> Range<u32> {
        0..self.plan.bands().len() as u32
    }

    /// The storage bindings with their buffers.
    pub(crate) fn storage(&self) -> impl Iterator<Item = (usize, &Binding, &BufferRange)> {
        let bindings = self.checked.kernel.signature().bindings.iter();
        let both = bindings.zip(&self.checked.buffers).enumerate();
        both.filter_map(|(id, (binding, buffer))| Some((id, binding, buffer.as_ref()?)))
    }

    pub(crate) fn chunk<'s>(
        &'s self,
        run: &Range<u32>,
        copies: &[(usize, PrivateCopy<'s>)],
        cancel: Option<&'s Cancel<'s>>,
        deadline: Option<Duration>,
    ) -> Chunk<'s> {
        let bindings = self.checked.kernel.signature().bindings.iter().enumerate();
        let bindings = bindings
            .map(|(id, binding)| {
                if binding.space.is_storage() {
                    let copy = copies.iter().find(|copy| copy.0 == id);
                    let memory = copy.map_or(self.memory[id], |(_, copy)| copy.bytes);
                    let (plan, stride) = (&self.plan, binding.layout.stride);
                    plan.chunk_storage(stride, run, id, memory, self.elements[id])
                } else {
                    ChunkBinding::Value(&self.checked.values[id])
                }
            })
            .collect();
        Chunk {
            kernel: &self.checked.kernel,
            grid: self.plan.grid,
            groups: self.plan.groups(run),
            bindings,
            loop_budget: self.checked.loop_budget,
            spare: self.spare,
            deadline,
            cancel,
        }
    }

    /// Memory that one chunk may take on a device.
    pub(crate) fn chunk_memory(&self, index: usize) -> u64 {
        let device = &self.checked.devices[index].device;
        self.plan.chunk_memory(device.info(), device.depth())
    }

    /// Whether a run can be computed again after a device that works in place computed some of it:
    /// nothing that it reads is what it may have written.
    pub(crate) fn again(&self, run: &Range<u32>) -> bool {
        let bindings = self.checked.kernel.signature().bindings.iter().enumerate();
        bindings.filter(|(_, binding)| binding.space.is_storage()).all(|(id, _)| {
            if *self.plan.merge(id) != Merge::Apart {
                return true;
            }
            let footprint = self.plan.footprint(run, id);
            !footprint.writes_header && !footprint.read.may_meet(&footprint.may_write)
        })
    }

    /// What a chunk that is done changed in its copy of a buffer.
    pub(crate) fn changes_of(&self, run: &Range<u32>, id: usize, copy: HostBytes<'_>) -> Changes {
        let binding = &self.checked.kernel.signature().bindings[id];
        let footprint = self.plan.footprint(run, id);
        let written = (&footprint.may_write.hull(), footprint.writes_header);
        let (buffer, merge) = (self.memory[id], self.plan.merge(id));
        merge::changes(copy, buffer, binding, merge, written, (run.start, id))
    }

    /// What is expected of each device that can run the launch.
    pub(crate) fn expectations(&self) -> Vec<Option<Expected>> {
        let Checked { resources, kernel, devices, wishes, .. } = self.checked;
        let groups = crate::grid::GroupBox::whole(self.plan.grid).workgroups() as f64;
        let able = devices.iter().zip(&self.unable);
        let able = able.map(|(member, unable)| unable.is_none().then(|| member.device.info()));
        resources.memo.expect(kernel, able, &self.plan, groups, wishes.reproducible)
    }

    /// Each device's part of all speeds, and whether it was measured; nothing for one that takes no
    /// part.
    pub(crate) fn shares(&self) -> Vec<Option<(f64, bool)>> {
        let devices = self.expectations().into_iter().zip(&self.plan.devices);
        let speeds: Vec<Option<(f64, bool)>> = devices
            .map(|(expected, planned)| match expected?.prior.speed {
                _ if planned.left_out.is_some() => None,
                Speed::Measured(speed) => Some((speed, true)),
                Speed::Estimated(speed) => Some((speed, false)),
            })
            .collect();
        let total: f64 = speeds.iter().flatten().map(|speed| speed.0).sum();
        let part = |(speed, measured): (f64, bool)| (speed / total, measured);
        speeds.into_iter().map(|speed| speed.map(part)).collect()
    }

    /// The devices that can take part, the preferred one first. `place` counts the launches that run at the same time: of
    /// devices that are equally fast each begins with another.
    pub(crate) fn order(&self, place: Option<usize>) -> Vec<usize> {
        let devices = &self.checked.devices;
        let mut order: Vec<usize> =
            (0..devices.len()).filter(|&i| self.unable[i].is_none()).collect();
        order.sort_by(|&a, &b| {
            let speed = |index: usize| guess(devices[index].device.info().kind);
            speed(b).total_cmp(&speed(a))
        });
        let speed = |index: usize| guess(devices[index].device.info().kind);
        let equals = order.iter().take_while(|&&i| speed(i) == speed(order[0])).count();
        if equals > 1 {
            order[..equals].rotate_left(place.unwrap_or(0) % equals);
        }
        order
    }

    /// The devices that may run the launch if one runs it whole, the first to be asked in front.
    pub(crate) fn whole_on(&self) -> Option<Vec<usize>> {
        matches!(self.plan.split, Split::Whole { .. }).then(|| self.order(None))
    }

    /// Reports of devices that did nothing.
    pub(crate) fn blank_reports(&self) -> Vec<DeviceReport> {
        let devices = self.checked.devices.iter();
        devices
            .map(|Member { device, .. }| DeviceReport {
                id: device.info().id.clone(),
                name: device.info().name.clone(),
                driver: device.info().driver.clone(),
                ..DeviceReport::default()
            })
            .collect()
    }

    pub(crate) fn account(&self, report: &mut DeviceReport, done: &Counted) {
        let groups = self.plan.groups(&done.run).workgroups();
        report.chunks += 1;
        report.taken_over += u32::from(done.taken_over);
        report.workgroups += u64::try_from(groups).unwrap_or(u64::MAX);
        report.busy += done.cost.busy;
        report.uploaded += done.cost.uploaded;
        report.downloaded += done.cost.downloaded;
    }
}
