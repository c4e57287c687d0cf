//! What a launch leaves on devices, and what it finds there.
//!
//! A binding is *kept* when a device may have a part of it as a range: a runtime-sized array of
//! whole words, bound once, of which bands write ranges apart. A chunk finds the kept bindings in
//! windows of its device, to which only what is missing was brought; what it writes stays there,
//! and the host's memory is out of date. All other bindings are in host memory, whole, from the
//! beginning of the launch to its end: the way of merged buffers, of headers, of columns.
//!
//! A chunk that fails has spoilt what it may have written in its window. That range is current
//! elsewhere, or it is lost, and computed again when it is needed (`log`).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::memories::Memories;
use super::planned::Planned;
use crate::device::{Device, Held};
use crate::error::{Error, Result};
use crate::kernel::{Binding, Space};
use crate::memory::{BufferRange, DeviceMemory, Entry, Moved};
use crate::runtime::report::DeviceReport;

/// Bytes that moved to and from one device for a launch.
#[derive(Debug, Default)]
struct Traffic {
    up: AtomicU64,
    down: AtomicU64,
}

/// Which bindings and devices keep what in a launch.
#[derive(Debug)]
pub(crate) struct Residency {
    /// By device; nothing for one that keeps nothing.
    pub(crate) memories: Vec<Option<Arc<DeviceMemory>>>,
    /// By binding.
    pub(crate) kept: Vec<bool>,
    traffic: Vec<Traffic>,
    /// By device: whether the launch is too large to stay, and goes through in pieces.
    streams: Vec<AtomicBool>,
}

/// How a chunk that was brought its data has ended.
#[derive(Clone, Copy)]
pub(crate) enum Ended<'o> {
    /// The device has not touched anything.
    NotBegun,
    /// What it would have written may be anything.
    Failed,
    /// With a result; and how to compute that again, if it is recorded.
    Done(Option<&'o Arc<Entry>>),
}

/// Who writes in the host's memory where it is no device: what was computed twice is put in place.
const NOBODY: usize = usize::MAX;

impl Residency {
    pub(crate) fn new<'d>(
        memories: &Memories,
        devices: impl Iterator<Item = &'d Arc<dyn Device>>,
        bindings: &[Binding],
        buffers: &[Option<BufferRange>],
        apart: &[bool],
    ) -> Residency {
        let kept = |id: usize| {
            let Some(buffer) = &buffers[id] else { return false };
            let layout = &bindings[id].layout;
            let alone = |(other, part): (usize, &Option<BufferRange>)| {
                other == id || part.as_ref().is_none_or(|part| !part.same_buffer(buffer))
            };
            apart.get(id).copied().unwrap_or(false)
                && layout.header == 0
                && layout.count.is_none()
                && layout.stride.is_multiple_of(4)
                && layout.element_size == layout.stride
                && buffers.iter().enumerate().all(alone)
        };
        let memories: Vec<_> = devices.map(|device| memories.of(device)).collect();
        Residency {
            kept: (0..bindings.len()).map(kept).collect(),
            traffic: memories.iter().map(|_| Traffic::default()).collect(),
            streams: memories.iter().map(|_| AtomicBool::new(false)).collect(),
            memories,
        }
    }

    pub(crate) fn meter(&self) -> impl Fn(&DeviceMemory, Moved) {
        |memory, moved| {
            // Devices of another runtime that share a buffer are not in our report.
            let ours = |m: &Option<Arc<DeviceMemory>>| {
                m.as_ref().is_some_and(|m| std::ptr::eq(Arc::as_ptr(m), memory))
            };
            let Some(device) = self.memories.iter().position(ours) else { return };
            match moved {
                Moved::Up(bytes) => self.traffic[device].up.fetch_add(bytes, Relaxed),
                Moved::Down(bytes) => self.traffic[device].down.fetch_add(bytes, Relaxed),
            };
        }
    }

    /// Adds what was moved outside of chunks to the devices' reports.
    pub(crate) fn account(&self, reports: &mut [DeviceReport]) {
        for (traffic, report) in self.traffic.iter().zip(reports) {
            report.uploaded += traffic.up.load(Relaxed);
            report.downloaded += traffic.down.load(Relaxed);
        }
    }

    /// Brings to the host what chunks will work on there.
    pub(crate) fn gather(&self, planned: &Planned<'_>) -> Result<()> {
        let meter = self.meter();
        for (id, binding, buffer) in planned.storage() {
            if !self.kept[id] {
                let all = 0..buffer.len();
                buffer.fetch(&all, &meter)?;
                if binding.space == Space::StorageWrite {
                    buffer.preserve(&all);
                    buffer.written_on_host(&all);
                }
            }
        }
        Ok(())
    }

    /// Lets go of windows that the devices' bands do not fit into, so that they can stream; and
    /// brings what each device's home needs, while none computes.
    pub(crate) fn settle(&self, planned: &Planned<'_>, homes: &[Range<u32>]) -> Result<()> {
        let meter = self.meter();
        let all = 0..planned.plan.bands().len() as u32;
        for (device, memory) in self.memories.iter().enumerate() {
            let Some(memory) = memory else { continue };
            let run = homes.get(device).unwrap_or(&all);
            // Tiles leave nothing there, and are as large as fits.
            let streams = planned.plan.tiling().is_some();
            if streams || !memory.could_hold(self.kept_bytes(planned, run)) {
                for (_, _, buffer) in planned.storage() {
                    buffer.leave(memory, &meter)?;
                }
                memory.clear(&meter);
                self.streams[device].store(true, Relaxed);
            } else if !homes.is_empty() && !run.is_empty() && planned.unable[device].is_none() {
                match self.bring(planned, device, run, false) {
                    Ok(held) => self.ended(planned, device, run, &held, Ended::NotBegun),
                    // Its worker will meet the failure again, and knows what to do.
                    Err(Error::Device { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Bytes of the windows that a run of bands needs of kept bindings.
    pub(crate) fn kept_bytes(&self, planned: &Planned<'_>, run: &Range<u32>) -> u64 {
        let kept = planned.storage().filter(|(id, ..)| self.kept[*id]);
        let bytes = kept.map(|(id, binding, _)| {
            let window = planned.plan.window(run, id);
            (window.end - window.start).saturating_mul(binding.layout.stride)
        });
        bytes.fold(0, u64::saturating_add)
    }

    /// The memory of a device in which the launch leaves things.
    pub(crate) fn memory_of(&self, device: usize) -> Option<&Arc<DeviceMemory>> {
        let memory = self.memories[device].as_ref()?;
        (!self.streams[device].load(Relaxed)).then_some(memory)
    }

    /// Whether something may stay on some device.
    pub(crate) fn keeps(&self) -> bool {
        let devices = 0..self.memories.len();
        self.kept.contains(&true) && { devices }.any(|device| self.memory_of(device).is_some())
    }

    /// Whether all that chunks touch stays on a device, so that it need not fit beside others.
    pub(crate) fn stays_on(&self, planned: &Planned<'_>, device: usize) -> bool {
        self.memory_of(device).is_some() && planned.storage().all(|(id, ..)| self.kept[id])
    }

    /// Makes a device have what a run of bands needs. Of a device that keeps nothing, and of a
    /// binding that it has no room for, the host has it; also of what it computes a second time,
    /// which it writes to copies.
    pub(crate) fn bring(
        &self,
        planned: &Planned<'_>,
        device: usize,
        run: &Range<u32>,
        second: bool,
    ) -> Result<Vec<Option<Held>>> {
        let meter = self.meter();
        let mut all: Vec<Option<Held>> = vec![None; planned.checked.buffers.len()];
        for (id, binding, buffer) in planned.storage() {
            if !self.kept[id] {
                continue;
            }
            let stride = binding.layout.stride;
            let bytes = |range: &Range<u64>| range.start * stride..range.end * stride;
            let (_, needed) = planned.plan.written_and_needed(run, id);
            let window = planned.plan.window(run, id);
            if window.is_empty() {
                continue;
            }
            let copied = second && binding.space == Space::StorageWrite;
            let brought = match self.memory_of(device) {
                Some(memory) if !copied => {
                    buffer.bring(memory, &bytes(&window), &bytes(&needed), stride, &meter)
                }
                _ => Ok(None),
            };
            let outcome = match brought {
                Ok(Some(brought)) => {
                    let elements = brought.bytes.start / stride..brought.bytes.end / stride;
                    all[id] = Some(Held { block: brought.block, elements });
                    Ok(())
                }
                Ok(None) => {
                    if binding.space == Space::StorageWrite && !copied {
                        let (written, _) = planned.plan.written_and_needed(run, id);
                        buffer.preserve(&bytes(&written));
                        let outcome = buffer.fetch(&bytes(&needed), &meter);
                        buffer.begins_to_write(device, &bytes(&written));
                        outcome
                    } else {
                        buffer.fetch(&bytes(&needed), &meter)
                    }
                }
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                self.ended(planned, device, run, &all, Ended::NotBegun);
                return Err(error);
            }
        }
        Ok(all)
    }

    /// Whether all that a chunk touches was found to be held.
    pub(crate) fn all_held(&self, planned: &Planned<'_>, held: &[Option<Held>]) -> bool {
        planned.storage().all(|(id, ..)| held[id].is_some())
    }

    /// A chunk has ended that was brought its data.
    pub(crate) fn ended(
        &self,
        planned: &Planned<'_>,
        device: usize,
        run: &Range<u32>,
        held: &[Option<Held>],
        how: Ended<'_>,
    ) {
        for (id, binding, buffer) in planned.storage() {
            if !self.kept[id] {
                continue;
            }
            let stride = binding.layout.stride;
            let of_run = planned.plan.written_and_needed(run, id).0;
            let of_run = of_run.start * stride..of_run.end * stride;
            let written = match (binding.space, &how) {
                (Space::StorageWrite, Ended::Failed | Ended::Done(_)) => of_run.clone(),
                _ => 0..0,
            };
            match (&held[id], self.memory_of(device), &how) {
                (Some(_), Some(memory), Ended::Done(origin)) if !written.is_empty() => {
                    buffer.written_on(memory, &written, *origin);
                }
                (Some(_), Some(memory), _) => buffer.not_written_on(memory, &written),
                (_, _, Ended::Done(_)) if !written.is_empty() => {
                    buffer.written_on_host(&written);
                }
                _ => {}
            }
            if held[id].is_none() && binding.space == Space::StorageWrite {
                buffer.ends_to_write(device, &of_run);
            }
        }
    }

    /// What a run writes is about to be put into the host's memory.
    pub(crate) fn preserve(&self, planned: &Planned<'_>, run: &Range<u32>) {
        for (id, binding, buffer) in planned.storage() {
            if self.kept[id] && binding.space == Space::StorageWrite {
                let (written, stride) =
                    (planned.plan.written_and_needed(run, id).0, binding.layout.stride);
                let written = written.start * stride..written.end * stride;
                buffer.preserve(&written);
                buffer.begins_to_write(NOBODY, &written);
            }
        }
    }

    /// What a run writes has been put into the host's memory.
    pub(crate) fn put_on_host(&self, planned: &Planned<'_>, run: &Range<u32>) {
        for (id, binding, buffer) in planned.storage() {
            if self.kept[id] && binding.space == Space::StorageWrite {
                let (written, stride) =
                    (planned.plan.written_and_needed(run, id).0, binding.layout.stride);
                let written = written.start * stride..written.end * stride;
                buffer.written_on_host(&written);
                buffer.ends_to_write(NOBODY, &written);
            }
        }
    }
}
