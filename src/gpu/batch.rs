//! Many chunks in few submissions: a sequence that is repeated.
//!
//! All storage bindings are resident on the device, so nothing moves between the dispatches, and
//! each dispatch sees the writes of those before it. The resources of a chunk are made once,
//! however often it is repeated. The fault words are read when all submissions have finished.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::chunk::{self, Bound};
use super::inputs::{self, Values, broken};
use super::logical::GpuDevice;
use super::pipeline::Pipeline;
use super::pool::Use;
use crate::device::{Block, Cancel, Chunk, ChunkCost, Fetch, Held, HostBytes, Store};
use crate::error::Result;
use crate::grid::GroupBox;
use crate::rewrite::Slot;

/// Dispatches of one submission. More save little, and delay the start of the device.
const PER_SUBMISSION: usize = 1024;

/// Submissions in flight before the executor waits for one. The limit keeps a driver's watchdog
/// from seeing an endless queue, and lets a cancellation take effect.
const UNDER_WAY: usize = 4;

/// A chunk, ready for repeated dispatches.
struct Step {
    pipeline: Arc<Pipeline>,
    group: wgpu::BindGroup,
    parts: Vec<GroupBox>,
    blocks: Vec<Vec<u8>>,
    values: Values,
    buffers: Vec<(Use, wgpu::Buffer)>,
    fault: Option<wgpu::Buffer>,
    loop_budget: u32,
}

impl Step {
    fn new(gpu: &GpuDevice, chunk: &Chunk<'_>, held: &[Option<Held>]) -> Result<Step> {
        let link = &gpu.link;
        let pipeline = gpu.pipelines.get(link, chunk.kernel, &[])?;
        let loop_budget = u32::try_from(chunk.loop_budget).unwrap_or(u32::MAX);
        let storages = inputs::storages(chunk, &pipeline, held)?;
        let parts = chunk::parts(gpu, chunk)?;
        let blocks = chunk::blocks(chunk, &pipeline, &storages, &parts, loop_budget);
        let values = Values::lay_out(gpu, chunk, &pipeline, &blocks)?;
        let bound: Vec<Bound> =
            chunk::take_buffers(gpu, chunk, &pipeline, &storages, &values, held)?;
        let mut buffers: Vec<(Use, wgpu::Buffer)> = Vec::new();
        let mut fault = None;
        for (slot, bound) in pipeline.rewritten.slots.iter().zip(&bound) {
            match slot {
                Slot::Storage { id, .. } if held.get(*id).is_some_and(Option::is_some) => {}
                Slot::Storage { .. } => return Err(broken("a sequence's binding is not held")),
                Slot::Fault => {
                    fault = Some(bound.buffer.clone());
                    buffers.push((Use::Window, bound.buffer.clone()));
                }
                Slot::Uniform { .. } | Slot::Params => {
                    if !buffers.iter().any(|(_, buffer)| *buffer == bound.buffer) {
                        buffers.push((Use::Uniform, bound.buffer.clone()));
                    }
                }
            }
        }
        let group = link.watched("prepare a sequence", || {
            if let Some((_, buffer)) = buffers.iter().find(|(purpose, _)| *purpose == Use::Uniform)
            {
                link.queue.write_buffer(buffer, 0, &values.bytes);
            }
            if let Some(fault) = &fault {
                link.queue.write_buffer(fault, 0, &[0; 4]);
            }
            chunk::bind_group(gpu, &pipeline, &bound)
        })?;
        Ok(Step { pipeline, group, parts, blocks, values, buffers, fault, loop_budget })
    }

    /// The number of workgroups of the chunk.
    fn groups(&self) -> u64 {
        let parts = self.parts.iter().map(|part| part.workgroups());
        u64::try_from(parts.sum::<u128>()).unwrap_or(u64::MAX)
    }

    /// Records the dispatches. `again` says that the previous step was this one, whose state is
    /// then not set again.
    fn record(&self, pass: &mut wgpu::ComputePass<'_>, again: bool) {
        let rewritten = &self.pipeline.rewritten;
        let immediate = rewritten.params.is_immediate() && rewritten.params.bytes() > 0;
        let dynamic = rewritten.slots.contains(&Slot::Params);
        if !again {
            pass.set_pipeline(&self.pipeline.pipeline);
            if !dynamic {
                pass.set_bind_group(0, &self.group, &[]);
            }
        }
        let one = again && self.parts.len() == 1;
        for (i, (part, block)) in (0..).zip(self.parts.iter().zip(&self.blocks)) {
            if dynamic && !one {
                let offset: u64 = i * self.values.block_stride;
                pass.set_bind_group(0, &self.group, &[offset as u32]);
            }
            if immediate && !one {
                pass.set_immediates(0, block);
            }
            let [x, y, z] = part.count;
            pass.dispatch_workgroups(x, y, z);
        }
    }
}

/// Runs the chunks in order, `times` times.
pub(super) fn run(
    gpu: &GpuDevice,
    chunks: &[(Chunk<'_>, Vec<Option<Held>>)],
    times: u32,
    cancel: Option<&Cancel<'_>>,
) -> Result<ChunkCost> {
    let link = &gpu.link;
    let steps: Vec<Step> =
        chunks.iter().map(|(chunk, held)| Step::new(gpu, chunk, held)).collect::<Result<_>>()?;
    let started = Instant::now();
    let uploaded = steps.iter().map(|step| step.values.bytes.len() as u64).sum();
    let mut order = (0..times).flat_map(|_| 0..steps.len()).peekable();
    let mut under_way = std::collections::VecDeque::new();
    let doing = "run a sequence";
    while order.peek().is_some() {
        let mut groups = 0;
        let submission = link.watched(doing, || {
            let mut encoder =
                link.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                let (mut recorded, mut before) = (0, None);
                while recorded < PER_SUBMISSION
                    && let Some(step) = order.next()
                {
                    steps[step].record(&mut pass, before == Some(step));
                    before = Some(step);
                    groups += steps[step].groups();
                    recorded += steps[step].parts.len().max(1);
                }
            }
            link.queue.submit([encoder.finish()])
        })?;
        under_way.push_back((submission, groups));
        if under_way.len() > UNDER_WAY
            && let Some((oldest, groups)) = under_way.pop_front()
        {
            gpu.wait_for(doing, oldest, None, (None, cancel))?;
            cancel.iter().for_each(|cancel| cancel.job().advance(groups));
        }
    }
    if let Some((last, _)) = under_way.pop_back() {
        gpu.wait_for(doing, last, None, (None, cancel))?;
    }
    let mut words = vec![0u32; steps.len()];
    let host = HostBytes::new(bytemuck::cast_slice_mut(&mut words));
    let faults: Vec<Fetch<'_>> = steps
        .iter()
        .enumerate()
        .filter_map(|(i, step)| {
            let block = Block::new(super::store::Kept::borrowed(step.fault.clone()?));
            Some(Fetch { block, at: 0, to: host.part(i * 4, 4) })
        })
        .collect();
    if !faults.is_empty() {
        gpu.download(&faults)?;
    }
    let mut outcome = Ok(());
    for (step, word) in steps.iter().zip(words) {
        if let (Some(error), Ok(())) =
            (chunk::stopped(word, gpu, &step.pipeline, step.loop_budget), &outcome)
        {
            outcome = Err(error);
        }
    }
    let mut compiled = false;
    for step in steps {
        compiled |= !step.pipeline.has_run.swap(true, Ordering::Relaxed);
        gpu.pool.put_back(step.buffers);
    }
    outcome?;
    Ok(ChunkCost { busy: gpu.busy_since(started), uploaded, downloaded: 0, compiled })
}
