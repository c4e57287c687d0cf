//! One chunk on a GPU: uploads, dispatches, downloads.
//!
//! A chunk is one submission. wgpu puts the uploads in front of it; then come the dispatches (more
//! than one where the grid exceeds the device's limit per axis), then the copies into the buffer
//! that is mapped. `finish` writes the results to host memory after it has checked the fault word,
//! so a failed chunk changes nothing.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::dispatch::{dispatch_count, dispatches};
use super::inputs::{self, Storage, Values, broken};
use super::logical::{GpuDevice, Mapped};
use super::pipeline::Pipeline;
use super::pool::Use;
use super::store;
use crate::device::{Cancel, Chunk, ChunkBinding, ChunkCost, Held, Running};
use crate::error::{Error, Result};
use crate::grid::GroupBox;
use crate::region::Region;
use crate::rewrite::{CUT_SHORT, ChunkParams, Slot};

/// The most dispatches of one chunk. Only a faulty plan needs more.
const MOST_DISPATCHES: u128 = 1 << 20;

/// Iterations after which some drivers end all loops of an invocation.
const DRIVER_TURNS: u64 = 65_535;

/// The part of a buffer that is bound at one slot.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) buffer: wgpu::Buffer,
    offset: u64,
    bytes: u64,
}

/// A range to download.
#[derive(Debug)]
struct Span<'a> {
    storage: Storage<'a>,
    /// The elements; `None` for the header.
    elements: Option<Region>,
    /// The slot of the source buffer, and the range in it.
    slot: usize,
    from: Range<u64>,
    /// The range in the download buffer.
    at: Range<usize>,
}

/// The ranges to download, and the buffer that receives them.
#[derive(Debug)]
struct Download<'a> {
    buffer: wgpu::Buffer,
    /// The slot of the fault word, which precedes the spans.
    fault: Option<usize>,
    spans: Vec<Span<'a>>,
    bytes: u64,
}

/// A chunk that was submitted to the device.
#[derive(Debug)]
pub(super) struct InFlight<'a> {
    gpu: &'a GpuDevice,
    pipeline: Arc<Pipeline>,
    started: Instant,
    /// Whether the driver may compile the kernel for this chunk.
    compiles: bool,
    submission: wgpu::SubmissionIndex,
    /// Buffers that return to the pool when the device has finished.
    buffers: Vec<(Use, wgpu::Buffer)>,
    download: Option<(Download<'a>, Mapped)>,
    loop_budget: u32,
    uploaded: u64,
    deadline: Option<Duration>,
    cancel: Option<&'a Cancel<'a>>,
}

/// Starts a chunk. `held` gives the bindings that are resident on the device; it has an entry for
/// each binding, or none.
pub(super) fn start<'a>(
    gpu: &'a GpuDevice,
    chunk: Chunk<'a>,
    held: &[Option<Held>],
) -> Result<InFlight<'a>> {
    let link = &gpu.link;
    let pipeline = gpu.pipelines.get(link, chunk.kernel, &inputs::pitched(&chunk))?;
    let (started, compiles) = (Instant::now(), !pipeline.has_run.load(Ordering::Relaxed));
    let loop_budget = u32::try_from(chunk.loop_budget).unwrap_or(u32::MAX);
    let storages = inputs::storages(&chunk, &pipeline, held)?;
    let parts = parts(gpu, &chunk)?;
    let blocks = blocks(&chunk, &pipeline, &storages, &parts, loop_budget);
    let values = Values::lay_out(gpu, &chunk, &pipeline, &blocks)?;

    let bound = take_buffers(gpu, &chunk, &pipeline, &storages, &values, held)?;
    let mut buffers: Vec<(Use, wgpu::Buffer)> = Vec::new();
    let is_held = |id: usize| held.get(id).is_some_and(Option::is_some);
    for (slot, bound) in pipeline.rewritten.slots.iter().zip(&bound) {
        match slot {
            // A resident buffer does not go to the pool.
            Slot::Storage { id, .. } if is_held(*id) => {}
            Slot::Storage { .. } | Slot::Fault => {
                buffers.push((Use::Window, bound.buffer.clone()));
            }
            Slot::Uniform { .. } | Slot::Params => {
                // All uniforms share one buffer.
                if !buffers.iter().any(|(_, buffer)| *buffer == bound.buffer) {
                    buffers.push((Use::Uniform, bound.buffer.clone()));
                }
            }
        }
    }
    let download = lay_out_download(gpu, &pipeline, &storages)?;
    if let Some(download) = &download {
        buffers.push((Use::Download, download.buffer.clone()));
    }

    let uploaded = link.watched("copy a chunk's data into staging memory", || {
        let mut uploaded = values.bytes.len() as u64;
        if let Some((_, buffer)) = buffers.iter().find(|(purpose, _)| *purpose == Use::Uniform) {
            link.queue.write_buffer(buffer, 0, &values.bytes);
        }
        for (slot, bound) in pipeline.rewritten.slots.iter().zip(&bound) {
            if let Slot::Storage { id, .. } = *slot
                && let Some(storage) = &storages[id]
                && !is_held(id)
            {
                if link.settings.poison {
                    inputs::poison(&link.queue, &bound.buffer);
                }
                uploaded += inputs::upload(&link.queue, storage, &bound.buffer);
            }
        }
        uploaded
    })?;
    let (done, mapped) = mpsc::channel();
    let submission = link.watched("submit a chunk", || {
        let commands = record(gpu, &pipeline, &bound, &parts, &blocks, &values, download.as_ref());
        let submission = link.queue.submit([commands]);
        if let Some(download) = &download {
            // If the chunk has been dropped, nothing receives the outcome.
            let tell = move |outcome| drop(done.send(outcome));
            download.buffer.slice(0..download.bytes).map_async(wgpu::MapMode::Read, tell);
        }
        submission
    })?;
    let download = download.map(|download| (download, mapped));
    let Chunk { deadline, cancel, .. } = chunk;
    Ok(InFlight {
        gpu,
        pipeline,
        started,
        compiles,
        submission,
        buffers,
        download,
        loop_budget,
        uploaded,
        deadline,
        cancel,
    })
}

/// The dispatches of the chunk.
pub(super) fn parts(gpu: &GpuDevice, chunk: &Chunk<'_>) -> Result<Vec<GroupBox>> {
    let most = gpu.link.limits.max_compute_workgroups_per_dimension.max(1);
    if dispatch_count(chunk.groups, most) > MOST_DISPATCHES {
        return Err(gpu.link.error(
            "start a chunk",
            format!(
                "{:?} workgroups take more than {MOST_DISPATCHES} dispatches of {most} along an axis",
                chunk.groups.count
            ),
        ));
    }
    Ok(dispatches(chunk.groups, most).collect())
}

/// The per-chunk block of each dispatch.
pub(super) fn blocks(
    chunk: &Chunk<'_>,
    pipeline: &Pipeline,
    storages: &[Option<Storage<'_>>],
    parts: &[GroupBox],
    loop_budget: u32,
) -> Vec<Vec<u8>> {
    let windows = inputs::windows(storages);
    let bindings = chunk.kernel.signature().bindings.iter().zip(&chunk.bindings);
    let immediate = bindings.into_iter().find_map(|(binding, given)| match given {
        ChunkBinding::Value(bytes) if binding.slot.is_none() => Some(*bytes),
        _ => None,
    });
    let params = &pipeline.rewritten.params;
    let (grid, windows) = (chunk.grid, windows.as_slice());
    parts
        .iter()
        .map(|part| {
            let first = part.first;
            params.encode(&ChunkParams { first, grid, windows, immediate, loop_budget })
        })
        .collect()
}

/// Takes buffers from the pool, and gives the part that is bound at each slot.
pub(super) fn take_buffers(
    gpu: &GpuDevice,
    chunk: &Chunk<'_>,
    pipeline: &Pipeline,
    storages: &[Option<Storage<'_>>],
    values: &Values,
    held: &[Option<Held>],
) -> Result<Vec<Bound>> {
    let value_buffer = match values.bytes.len() as u64 {
        0 => None,
        bytes => Some(gpu.take(Use::Uniform, bytes)?),
    };
    let slots = pipeline.rewritten.slots.iter().zip(&pipeline.least_bytes).zip(&values.at);
    slots
        .map(|((slot, &least), at)| match *slot {
            Slot::Storage { id, .. } => {
                let name = &chunk.kernel.signature().bindings[id].name;
                let storage = storages[id]
                    .as_ref()
                    .ok_or_else(|| broken(format!("binding `{name}` of a chunk is a value")))?;
                if let Some(Some(held)) = held.get(id) {
                    let buffer = store::buffer_of(&held.block)?.clone();
                    return Ok(Bound { buffer, offset: 0, bytes: storage.extent.bytes() });
                }
                let (buffer, bytes) = inputs::take_window(gpu, name, storage, least)?;
                Ok(Bound { buffer, offset: 0, bytes })
            }
            Slot::Fault => Ok(Bound { buffer: gpu.take(Use::Window, 4)?, offset: 0, bytes: 4 }),
            Slot::Uniform { .. } | Slot::Params => {
                let buffer = value_buffer.clone().ok_or_else(|| broken("a uniform of no bytes"))?;
                Ok(Bound { buffer, offset: at.start, bytes: at.end - at.start })
            }
        })
        .collect()
}

/// Lays out the download. `None` for a kernel that writes nothing and cannot loop forever.
fn lay_out_download<'a>(
    gpu: &GpuDevice,
    pipeline: &Pipeline,
    storages: &[Option<Storage<'a>>],
) -> Result<Option<Download<'a>>> {
    let slots = &pipeline.rewritten.slots;
    let fault = slots.iter().position(|slot| *slot == Slot::Fault);
    let mut spans = Vec::new();
    // The fault word takes eight bytes, since mapped ranges start at multiples of eight.
    let mut end: u64 = if fault.is_some() { 8 } else { 0 };
    for (slot, which) in slots.iter().enumerate() {
        let Slot::Storage { id, .. } = *which else { continue };
        let Some(storage) = &storages[id] else { continue };
        let header = storage.write_header.then(|| (None, storage.extent.header()));
        // One copy of the hull is cheaper than many copies; the host takes its part of it.
        let elements = storage.write_back.clone();
        let range = storage.extent.elements(&elements.hull());
        for (elements, from) in header.into_iter().chain([(Some(elements), range)]) {
            if from.is_empty() {
                continue;
            }
            let bytes = from.end - from.start;
            let at = end as usize..(end + bytes) as usize;
            end = (end + bytes).next_multiple_of(8);
            spans.push(Span { storage: storage.clone(), elements, slot, from, at });
        }
    }
    if end == 0 {
        return Ok(None);
    }
    if end > gpu.link.limits.max_buffer_size {
        return Err(gpu.link.error(
            "start a chunk",
            format!(
                "it writes {end} bytes, and the largest buffer of the device has {}",
                gpu.link.limits.max_buffer_size
            ),
        ));
    }
    Ok(Some(Download { buffer: gpu.take(Use::Download, end)?, fault, spans, bytes: end }))
}

/// The bind group of a chunk. Called under error scopes.
pub(super) fn bind_group(gpu: &GpuDevice, pipeline: &Pipeline, bound: &[Bound]) -> wgpu::BindGroup {
    let entries: Vec<wgpu::BindGroupEntry<'_>> = (0..)
        .zip(bound)
        .map(|(binding, bound)| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &bound.buffer,
                offset: bound.offset,
                size: std::num::NonZeroU64::new(bound.bytes),
            }),
        })
        .collect();
    gpu.link.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.group,
        entries: &entries,
    })
}

/// The commands of a chunk. Called under error scopes.
fn record(
    gpu: &GpuDevice,
    pipeline: &Arc<Pipeline>,
    bound: &[Bound],
    parts: &[GroupBox],
    blocks: &[Vec<u8>],
    values: &Values,
    download: Option<&Download<'_>>,
) -> wgpu::CommandBuffer {
    let device = &gpu.link.device;
    let group = bind_group(gpu, pipeline, bound);
    let rewritten = &pipeline.rewritten;
    let mut encoder =
        device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None });
    for (slot, bound) in rewritten.slots.iter().zip(bound) {
        if *slot == Slot::Fault {
            encoder.clear_buffer(&bound.buffer, 0, Some(4));
        }
    }
    {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline.pipeline);
        let immediate = rewritten.params.is_immediate() && rewritten.params.bytes() > 0;
        let dynamic = rewritten.slots.contains(&Slot::Params);
        if !dynamic {
            pass.set_bind_group(0, &group, &[]);
        }
        for (i, (part, block)) in (0..).zip(parts.iter().zip(blocks)) {
            if dynamic {
                let offset: u64 = i * values.block_stride;
                pass.set_bind_group(0, &group, &[offset as u32]);
            }
            if immediate {
                pass.set_immediates(0, block);
            }
            let [x, y, z] = part.count;
            pass.dispatch_workgroups(x, y, z);
        }
    }
    if let Some(download) = download {
        if let Some(slot) = download.fault {
            encoder.copy_buffer_to_buffer(&bound[slot].buffer, 0, &download.buffer, 0, 4);
        }
        for span in &download.spans {
            encoder.copy_buffer_to_buffer(
                &bound[span.slot].buffer,
                span.from.start,
                &download.buffer,
                span.at.start as u64,
                span.from.end - span.from.start,
            );
        }
    }
    encoder.finish()
}

impl InFlight<'_> {
    /// Waits until the device has finished this chunk, and those before it.
    fn wait(&self) -> Result<()> {
        let mapped = self.download.as_ref().map(|(_, mapped)| mapped);
        let until = (self.deadline, self.cancel);
        self.gpu.wait_for("finish a chunk", self.submission.clone(), mapped, until)
    }

    /// Checks the fault word and writes the downloads to the host. Returns the bytes written.
    fn merge(&self) -> Result<u64> {
        let Some((download, _)) = &self.download else { return Ok(0) };
        let link = &self.gpu.link;
        let view = link
            .watched("map a download", || download.buffer.get_mapped_range(0..download.bytes))?
            .map_err(|error| link.error("map a download", error.to_string()))?;
        let fault = match download.fault {
            Some(_) => u32::from_le_bytes([view[0], view[1], view[2], view[3]]),
            None => 0,
        };
        if let Some(error) = stopped(fault, self.gpu, &self.pipeline, self.loop_budget) {
            return Err(error);
        }
        let mut written = 0;
        for span in &download.spans {
            let Storage { memory, extent, .. } = &span.storage;
            let bytes = &view[span.at.clone()];
            written += match &span.elements {
                None => extent.scatter_header(*memory, bytes),
                Some(elements) => {
                    let mut sum = 0;
                    elements.for_each_run(|run| {
                        let skipped = extent.elements(&run).start - span.from.start;
                        sum += extent.scatter(*memory, &run, &bytes[skipped as usize..]);
                    });
                    sum
                }
            };
        }
        Ok(written)
    }
}

/// The error for a fault word, if a loop was stopped.
pub(super) fn stopped(
    fault: u32,
    gpu: &GpuDevice,
    pipeline: &Pipeline,
    loop_budget: u32,
) -> Option<Error> {
    let (budget, device) = match fault {
        0 => return None,
        CUT_SHORT => (DRIVER_TURNS, Some(gpu.link.info.id.clone())),
        _ => (u64::from(loop_budget), None),
    };
    Some(Error::EndlessLoop { budget, device, at: pipeline.endless.clone() })
}

impl Running for InFlight<'_> {
    fn finish(mut self: Box<Self>) -> Result<ChunkCost> {
        self.wait()?;
        let merged = self.merge();
        if let Some((download, _)) = &self.download {
            self.gpu.link.watched("unmap a download", || download.buffer.unmap())?;
        }
        self.gpu.pool.put_back(std::mem::take(&mut self.buffers));
        let (busy, compiled) = (self.gpu.busy_since(self.started), self.compiles);
        self.pipeline.has_run.store(true, Ordering::Relaxed);
        Ok(ChunkCost { busy, uploaded: self.uploaded, downloaded: merged?, compiled })
    }
}
