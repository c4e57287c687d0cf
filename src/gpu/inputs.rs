//! The inputs of a chunk on the device: a buffer for each window, and one for all small values
//! (uniforms, and the block of each dispatch if it is a uniform).
//!
//! Windows are filled through wgpu's staging memory, in pieces that stay in the processor's cache
//! between the read from host memory and the write. (Staging buffers of our own that stay mapped
//! between chunks were no faster on lavapipe.) Elements outside of `upload` keep the old contents
//! of the pooled buffer.

use std::num::NonZeroU64;
use std::ops::Range;

use super::logical::GpuDevice;
use super::pipeline::Pipeline;
use super::pool::Use;
use super::window::{ALIGN, Extent};
use crate::device::{Chunk, ChunkBinding, Held, HostBytes};
use crate::error::{Error, Result};
use crate::kernel::BindingId;
use crate::region::Region;
use crate::rewrite::{Slot, Window};

/// A storage binding of a chunk.
#[derive(Debug, Clone)]
pub(super) struct Storage<'a> {
    pub(super) memory: HostBytes<'a>,
    pub(super) extent: Extent,
    pub(super) upload: Range<u64>,
    pub(super) write_back: Region,
    pub(super) write_header: bool,
    /// Elements of the logical buffer.
    elements: u64,
    first: u64,
}

/// The data that a chunk gives for a storage binding; `None` for another kind of binding.
///
/// # Errors
/// [`Error::Internal`] for ranges that are not nested as `ChunkBinding` requires.
fn storage<'a>(
    chunk: &Chunk<'a>,
    pipeline: &Pipeline,
    id: BindingId,
    held: Option<&Held>,
) -> Result<Option<Storage<'a>>> {
    let (binding, given) = match (chunk.kernel.signature().bindings.get(id), chunk.bindings.get(id))
    {
        (Some(binding), Some(given)) => (binding, given),
        _ => return Err(broken(format!("binding {id} of a chunk is missing"))),
    };
    let ChunkBinding::Storage { memory, elements, window, upload, write_back, write_header, pitch } =
        given
    else {
        return Ok(None);
    };
    let inside = |inner: &Range<u64>| {
        inner.is_empty() || (window.start <= inner.start && inner.end <= window.end)
    };
    let layout = &binding.layout;
    let last = elements.saturating_sub(1).saturating_mul(layout.stride);
    let used = last.saturating_add(layout.header).saturating_add(layout.element_size);
    let sound = window.start <= window.end
        && window.end <= *elements
        && *elements <= u64::from(u32::MAX)
        && (*elements == 0 || used <= memory.len() as u64)
        && layout.header <= memory.len() as u64
        && inside(upload)
        && inside(&write_back.hull());
    if !sound {
        return Err(broken(format!(
            "binding `{}`: window {window:?}, upload {upload:?} and write-back {write_back:?} of {elements} elements in {} bytes",
            binding.name,
            memory.len()
        )));
    }
    if let Some(pitch) = pitch {
        let step = ALIGN / gcd(layout.stride, ALIGN);
        let first = upload.start..upload.start + u64::from(!upload.is_empty());
        let last = upload.end - u64::from(!upload.is_empty())..upload.end;
        let mut within = held.is_none()
            && pipeline.rewritten.windowable(id)
            && pitch.row > 0
            && pitch.columns.is_multiple_of(step)
            && pitch.len() <= u64::from(u32::MAX)
            && pitch.holds(&first)
            && pitch.holds(&last);
        write_back.for_each_run(|run| within &= pitch.holds(&run));
        if !within {
            return Err(broken(format!(
                "binding `{}`: upload {upload:?} and write-back {write_back:?} in {pitch:?}",
                binding.name
            )));
        }
    }
    if let Some(held) = held {
        let there = &held.elements;
        let fits = there.end <= *elements
            && (window.is_empty() || (there.start <= window.start && window.end <= there.end));
        if !fits || layout.header != 0 || !pipeline.rewritten.windowable(id) {
            return Err(broken(format!(
                "binding `{}` finds elements {there:?}, and needs {window:?} of {elements}",
                binding.name
            )));
        }
        return Ok(Some(Storage {
            memory: *memory,
            first: there.start,
            extent: Extent::new(layout, there.clone()),
            upload: 0..0,
            write_back: Region::default(),
            write_header: false,
            elements: *elements,
        }));
    }
    let window = if pipeline.rewritten.windowable(id) { window.clone() } else { 0..*elements };
    let extent = match pitch {
        Some(pitch) => Extent::of_box(layout, pitch.clone()),
        None => Extent::new(layout, window.clone()),
    };
    Ok(Some(Storage {
        memory: *memory,
        first: window.start,
        extent,
        upload: upload.clone(),
        write_back: write_back.clone(),
        write_header: *write_header,
        elements: *elements,
    }))
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The bindings of a chunk whose windows are boxes.
pub(super) fn pitched(chunk: &Chunk<'_>) -> Vec<BindingId> {
    let boxes = chunk
        .bindings
        .iter()
        .enumerate()
        .filter(|(_, given)| matches!(given, ChunkBinding::Storage { pitch: Some(_), .. }));
    boxes.map(|(id, _)| id).collect()
}

/// The storage bindings of a chunk, by `BindingId`.
pub(super) fn storages<'a>(
    chunk: &Chunk<'a>,
    pipeline: &Pipeline,
    held: &[Option<Held>],
) -> Result<Vec<Option<Storage<'a>>>> {
    let held = |id: BindingId| held.get(id).and_then(Option::as_ref);
    let bindings = 0..chunk.kernel.signature().bindings.len();
    bindings.map(|id| storage(chunk, pipeline, id, held(id))).collect()
}

/// The windows as the per-chunk block describes them, by `BindingId`.
pub(super) fn windows(storages: &[Option<Storage<'_>>]) -> Vec<Window> {
    let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    storages
        .iter()
        .map(|storage| match storage {
            None => Window::default(),
            Some(storage) => Window {
                first: narrow(storage.first),
                len: narrow(storage.extent.len()),
                elements: narrow(storage.elements),
                pitch: storage.extent.pitch().cloned(),
            },
        })
        .collect()
}

/// Takes a buffer for a window. Returns it with the number of bytes to bind.
pub(super) fn take_window(
    gpu: &GpuDevice,
    name: &str,
    storage: &Storage<'_>,
    least: u64,
) -> Result<(wgpu::Buffer, u64)> {
    let bytes = storage.extent.bytes().max(least.next_multiple_of(4));
    let most = gpu.link.info.limits.max_binding;
    if bytes > most {
        return Err(gpu.link.error(
            "start a chunk",
            format!(
                "its window of `{name}` has {bytes} bytes, and the device binds at most {most}"
            ),
        ));
    }
    Ok((gpu.take(Use::Window, bytes)?, bytes))
}

/// Uploads the part of a window that the chunk needs. Returns the bytes uploaded.
pub(super) fn upload(queue: &wgpu::Queue, storage: &Storage<'_>, buffer: &wgpu::Buffer) -> u64 {
    const PIECE: usize = 64 << 10;
    let mut scratch = vec![0; PIECE];
    let mut uploaded = 0;
    for range in storage.extent.uploads(&storage.upload) {
        let bytes = range.end - range.start;
        let Some(size) = NonZeroU64::new(bytes) else { continue };
        // wgpu gives no view if it has no memory or refuses; the surrounding error scope reports
        // it.
        let Some(mut view) = queue.write_buffer_with(buffer, range.start, size) else { continue };
        let mut done = 0;
        while done < bytes as usize {
            let piece = &mut scratch[..PIECE.min(bytes as usize - done)];
            storage.extent.gather(storage.memory, range.start + done as u64, piece);
            view.slice(done..done + piece.len()).copy_from_slice(piece);
            done += piece.len();
        }
        uploaded += bytes;
    }
    uploaded
}

/// Fills a buffer with 0xCD.
pub(super) fn poison(queue: &wgpu::Queue, buffer: &wgpu::Buffer) {
    if let Some(size) = NonZeroU64::new(buffer.size())
        && let Some(mut view) = queue.write_buffer_with(buffer, 0, size)
    {
        view.slice(..).fill(0xCD);
    }
}

/// The small values of a chunk, in one buffer.
#[derive(Debug)]
pub(super) struct Values {
    pub(super) bytes: Vec<u8>,
    /// For each slot, the range that is bound; empty for slots that are not uniforms.
    pub(super) at: Vec<Range<u64>>,
    /// Bytes from one dispatch's block to the next.
    pub(super) block_stride: u64,
}

impl Values {
    /// Lays out the kernel's uniforms and the blocks of the dispatches.
    pub(super) fn lay_out(
        gpu: &GpuDevice,
        chunk: &Chunk<'_>,
        pipeline: &Pipeline,
        blocks: &[Vec<u8>],
    ) -> Result<Values> {
        let align = u64::from(gpu.link.limits.min_uniform_buffer_offset_alignment.max(16));
        let block = u64::from(pipeline.rewritten.params.bytes());
        let block_stride = block.next_multiple_of(align);
        let mut values = Values { bytes: Vec::new(), at: Vec::new(), block_stride };
        for slot in &pipeline.rewritten.slots {
            let start = (values.bytes.len() as u64).next_multiple_of(align);
            let range = match *slot {
                Slot::Storage { .. } | Slot::Fault => 0..0,
                Slot::Uniform { id, bytes } => {
                    let Some(ChunkBinding::Value(given)) = chunk.bindings.get(id) else {
                        return Err(broken(format!("binding {id} of a chunk is not a value")));
                    };
                    values.put(start, &given[..given.len().min(bytes as usize)], bytes);
                    start..start + bytes
                }
                Slot::Params => {
                    for (i, bytes) in (0..).zip(blocks) {
                        values.put(start + i * block_stride, bytes, block);
                    }
                    values.put(start, &[], block);
                    start..start + block
                }
            };
            values.at.push(range);
        }
        let padded = values.bytes.len().next_multiple_of(4);
        values.bytes.resize(padded, 0);
        Ok(values)
    }

    /// Writes bytes at an offset, where at least `room` bytes then exist.
    fn put(&mut self, start: u64, bytes: &[u8], room: u64) {
        let start = start as usize;
        let end = start + (room as usize).max(bytes.len());
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
    }
}

/// The error for a broken promise of the runtime or of `rewrite`.
pub(super) fn broken(cause: impl Into<String>) -> Error {
    Error::Internal { place: "gpu".to_owned(), cause: cause.into() }
}
