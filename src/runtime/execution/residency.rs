//! The data that a launch finds on devices and leaves there.
//!
//! A binding is *kept* if devices may hold ranges of it: it is a runtime-sized array of whole words, bound
//! once, and bands write disjoint ranges of it. A chunk finds kept bindings in windows of its device, to
//! which only missing bytes are copied. Its results stay there, and host memory becomes stale. All other
//! bindings are whole in host memory from the beginning of the launch to its end: merged buffers, headers,
//! columns.
//!
//! A failed chunk may have spoilt the range of its window that it writes. Either another holder has that
//! range, or it is lost and is computed again when it is needed (`log`).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use super::planned::Planned;
use crate::device::Held;
use crate::error::{Error, Result};
use crate::kernel::{Binding, Space};
use crate::memory::{BufferRange, DeviceMemory, Entry, Moved};
use crate::runtime::report::DeviceReport;

/// The bytes moved to and from one device for a launch.
#[derive(Debug, Default)]
struct Traffic {
    up: AtomicU64,
    down: AtomicU64,
}

/// Which bindings a launch keeps on which devices.
pub(super) struct Residency<'p> {
    pub(super) planned: &'p Planned<'p>,
    /// By device; `None` for a device that keeps no data.
    pub(super) memories: Vec<Option<Arc<DeviceMemory>>>,
    /// By binding.
    pub(super) is_kept: Vec<bool>,
    traffic: Vec<Traffic>,
    /// By device: whether the launch is too large to stay, and streams through in pieces.
    streams: Vec<AtomicBool>,
}

/// The end of a chunk whose data was brought.
#[derive(Clone, Copy)]
pub(super) enum Ended<'o> {
    /// The device has touched nothing.
    NotBegun,
    /// The range that the chunk writes may hold anything.
    Failed,
    /// The chunk has a result; and how to compute it again, if that is recorded.
    Done(Option<&'o Arc<Entry>>),
}

/// The writer of host memory when the results of a second run are put in place.
const NO_DEVICE: usize = usize::MAX;

impl<'p> Residency<'p> {
    pub(super) fn new(planned: &'p Planned<'p>) -> Residency<'p> {
        let Planned { checked, plan, .. } = planned;
        let (bindings, buffers) = (&checked.kernel.signature().bindings, &checked.buffers);
        let is_kept = |id: usize| {
            let Some(buffer) = &buffers[id] else { return false };
            let layout = &bindings[id].layout;
            let alone = |(other, part): (usize, &Option<BufferRange>)| {
                other == id || part.as_ref().is_none_or(|part| !part.same_buffer(buffer))
            };
            // A buffer that may be restored or is verified stays in host memory.
            !checked.keeps_before()
                && plan.apart.get(id).copied().unwrap_or(false)
                && layout.header == 0
                && layout.count.is_none()
                && layout.stride.is_multiple_of(4)
                && layout.element_size == layout.stride
                && buffers.iter().enumerate().all(alone)
        };
        let devices = checked.devices.iter();
        let memories: Vec<_> =
            devices.map(|member| checked.resources.memories.of(&member.device)).collect();
        Residency {
            planned,
            is_kept: (0..bindings.len()).map(is_kept).collect(),
            traffic: memories.iter().map(|_| Traffic::default()).collect(),
            streams: memories.iter().map(|_| AtomicBool::new(false)).collect(),
            memories,
        }
    }

    /// The kept bindings with their buffers.
    pub(super) fn kept(&self) -> impl Iterator<Item = (usize, &'p Binding, &'p BufferRange)> {
        self.planned.checked.storage().filter(|(id, ..)| self.is_kept[*id])
    }

    /// Adds moved bytes to the traffic of their device.
    pub(super) fn meter(&self) -> impl Fn(&DeviceMemory, Moved) {
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

    /// Adds the bytes moved outside of chunks to the devices' reports.
    pub(super) fn account(&self, reports: &mut [DeviceReport]) {
        for (traffic, report) in self.traffic.iter().zip(reports) {
            report.uploaded += traffic.up.load(Relaxed);
            report.downloaded += traffic.down.load(Relaxed);
        }
    }

    /// Fetches the bindings that are not kept to host memory, where chunks work on them.
    pub(super) fn gather(&self) -> Result<()> {
        let meter = self.meter();
        for (id, binding, buffer) in self.planned.checked.storage() {
            if !self.is_kept[id] {
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

    /// Prepares the devices before any computes. A device without room for its bands drops its windows, so
    /// that they can stream; other devices get the data of their homes.
    pub(super) fn settle(&self, homes: &[Range<u32>]) -> Result<()> {
        let meter = self.meter();
        let all = 0..self.planned.plan.bands().len() as u32;
        for (device, memory) in self.memories.iter().enumerate() {
            let Some(memory) = memory else { continue };
            let run = homes.get(device).unwrap_or(&all);
            // Tiles leave no data on the device, and are as large as fits.
            let streams = self.planned.plan.tiling().is_some();
            if streams || !memory.could_hold(self.kept_bytes(run)) {
                for (_, _, buffer) in self.planned.checked.storage() {
                    buffer.leave(memory, &meter)?;
                }
                memory.clear(&meter);
                self.streams[device].store(true, Relaxed);
            } else if !homes.is_empty() && !run.is_empty() && self.planned.unable[device].is_none()
            {
                match self.bring(device, run, false) {
                    Ok(held) => self.ended(device, run, &held, Ended::NotBegun),
                    // The device's worker will meet the failure again, and handles it.
                    Err(Error::Device { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// The bytes of the windows of kept bindings that a run of bands needs.
    pub(super) fn kept_bytes(&self, run: &Range<u32>) -> u64 {
        let kept = self.kept();
        let bytes = kept.map(|(id, binding, _)| {
            let window = self.planned.plan.window(run, id);
            (window.end - window.start).saturating_mul(binding.layout.stride)
        });
        bytes.fold(0, u64::saturating_add)
    }

    /// The memory of a device, if the launch leaves data there.
    pub(super) fn memory_of(&self, device: usize) -> Option<&Arc<DeviceMemory>> {
        let memory = self.memories[device].as_ref()?;
        (!self.streams[device].load(Relaxed)).then_some(memory)
    }

    /// Whether data may stay on any device.
    pub(super) fn keeps(&self) -> bool {
        let devices = 0..self.memories.len();
        self.is_kept.contains(&true) && { devices }.any(|device| self.memory_of(device).is_some())
    }

    /// Whether all data of chunks stays on a device, so that they need no memory beside it.
    pub(super) fn stays_on(&self, device: usize) -> bool {
        self.memory_of(device).is_some()
            && self.planned.checked.storage().all(|(id, ..)| self.is_kept[id])
    }

    /// Brings the data of kept bindings that a run of bands needs to a device, and returns its windows by
    /// binding. The host gets the data instead if the device keeps none or has no room for the binding, and
    /// if it is an output of a second run, which writes to copies.
    pub(super) fn bring(
        &self,
        device: usize,
        run: &Range<u32>,
        second: bool,
    ) -> Result<Vec<Option<Held>>> {
        let meter = self.meter();
        let mut all: Vec<Option<Held>> = vec![None; self.planned.checked.buffers.len()];
        for (id, binding, buffer) in self.kept() {
            let stride = binding.layout.stride;
            let bytes = |range: &Range<u64>| range.start * stride..range.end * stride;
            let (_, needed) = self.planned.plan.written_and_needed(run, id);
            let window = self.planned.plan.window(run, id);
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
                        let (written, _) = self.planned.plan.written_and_needed(run, id);
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
                self.ended(device, run, &all, Ended::NotBegun);
                return Err(error);
            }
        }
        Ok(all)
    }

    /// Whether a device holds all storage bindings of a chunk.
    pub(super) fn all_held(&self, held: &[Option<Held>]) -> bool {
        self.planned.checked.storage().all(|(id, ..)| held[id].is_some())
    }

    /// Notes the end of a chunk whose data was brought.
    pub(super) fn ended(
        &self,
        device: usize,
        run: &Range<u32>,
        held: &[Option<Held>],
        how: Ended<'_>,
    ) {
        for (id, binding, buffer) in self.kept() {
            let stride = binding.layout.stride;
            let of_run = self.planned.plan.written_and_needed(run, id).0;
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

    /// The kept buffers that a run writes, with the bytes.
    fn written(&self, run: &Range<u32>) -> impl Iterator<Item = (&BufferRange, Range<u64>)> {
        let outputs = self.kept().filter(|(_, binding, _)| binding.space == Space::StorageWrite);
        outputs.map(|(id, binding, buffer)| {
            let (written, _) = self.planned.plan.written_and_needed(run, id);
            let stride = binding.layout.stride;
            (buffer, written.start * stride..written.end * stride)
        })
    }

    /// Prepares host memory for the results of a run.
    pub(super) fn preserve(&self, run: &Range<u32>) {
        for (buffer, written) in self.written(run) {
            buffer.preserve(&written);
            buffer.begins_to_write(NO_DEVICE, &written);
        }
    }

    /// Notes that the results of a run are in host memory.
    pub(super) fn put_on_host(&self, run: &Range<u32>) {
        for (buffer, written) in self.written(run) {
            buffer.written_on_host(&written);
            buffer.ends_to_write(NO_DEVICE, &written);
        }
    }
}
