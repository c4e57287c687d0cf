//! Memory that stays on the device between chunks.
//!
//! A block is a buffer of the pool. It returns to the pool when its last user drops it, even if the
//! device still uses it: the work of the next user queues behind, since there is one queue. A
//! download is a submission of its own, and waits for it.

use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::mpsc;
use std::sync::{Arc, Weak};

use super::inputs::{broken, poison};
use super::logical::GpuDevice;
use super::pool::{Pool, Use};
use crate::device::{Block, Fetch, HostBytes, Store};
use crate::error::Result;

/// A block on a GPU.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) buffer: wgpu::Buffer,
    pool: Weak<Pool>,
}

impl Kept {
    /// A buffer that returns to the pool by another way.
    pub(super) fn borrowed(buffer: wgpu::Buffer) -> Kept {
        Kept { buffer, pool: Weak::new() }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.put_back([(Use::Window, self.buffer.clone())]);
        }
    }
}

/// The buffer of a block of this device.
pub(super) fn buffer_of(block: &Block) -> Result<&wgpu::Buffer> {
    let kept = block.get::<Kept>().ok_or_else(|| broken("a block belongs to another device"))?;
    Ok(&kept.buffer)
}

impl Store for GpuDevice {
    fn largest(&self) -> u64 {
        self.link.info.limits.max_binding
    }

    fn allocate(&self, bytes: u64) -> Result<Block> {
        let buffer = self.take(Use::Window, bytes.max(16))?;
        if self.link.settings.poison {
            self.link.watched("fill new memory", || poison(&self.link.queue, &buffer))?;
        }
        Ok(Block::new(Kept { buffer, pool: Arc::downgrade(&self.pool) }))
    }

    fn upload(&self, block: &Block, at: u64, from: HostBytes<'_>) -> Result<()> {
        const PIECE: usize = 64 << 10;
        let Some(size) = NonZeroU64::new(from.len() as u64) else { return Ok(()) };
        let (buffer, queue) = (buffer_of(block)?, &self.link.queue);
        let doing = "copy data into staging memory";
        let brought = self.link.watched(doing, || {
            let Some(mut view) = queue.write_buffer_with(buffer, at, size) else { return false };
            let mut scratch = vec![0; PIECE.min(from.len())];
            let mut done = 0;
            while done < from.len() {
                let piece = &mut scratch[..PIECE.min(from.len() - done)];
                from.read(done, piece);
                view.slice(done..done + piece.len()).copy_from_slice(piece);
                done += piece.len();
            }
            true
        })?;
        if brought {
            return Ok(());
        }
        // A lost device gives no memory, either.
        self.link.check_alive(doing)?;
        Err(self.link.error(doing, "wgpu gave no staging memory"))
    }

    fn download(&self, parts: &[Fetch<'_>]) -> Result<()> {
        // In pieces that fit one mapped buffer.
        let most = (self.link.limits.max_buffer_size / 2).min(64 << 20) as usize & !7;
        let mut batch: Vec<Fetch<'_>> = Vec::new();
        let mut bytes = 0;
        for part in parts {
            let mut done = 0;
            while done < part.to.len() {
                let len = (part.to.len() - done).min(most - bytes);
                let to = part.to.part(done, len);
                batch.push(Fetch { block: part.block.clone(), at: part.at + done as u64, to });
                done += len;
                bytes = (bytes + len).next_multiple_of(8);
                if bytes >= most {
                    download_batch(self, &batch)?;
                    batch.clear();
                    bytes = 0;
                }
            }
        }
        if batch.is_empty() { Ok(()) } else { download_batch(self, &batch) }
    }

    fn copy(&self, from: &Block, range: Range<u64>, to: &Block, at: u64) -> Result<()> {
        let (from, to) = (buffer_of(from)?, buffer_of(to)?);
        let link = &self.link;
        link.watched("copy on the device", || {
            let mut encoder =
                link.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.copy_buffer_to_buffer(from, range.start, to, at, range.end - range.start);
            link.queue.submit([encoder.finish()]);
        })
    }
}

/// Downloads parts that together fit one mapped buffer.
fn download_batch(gpu: &GpuDevice, parts: &[Fetch<'_>]) -> Result<()> {
    let link = &gpu.link;
    let doing = "download data";
    let mut places = Vec::with_capacity(parts.len());
    let mut end = 0;
    for part in parts {
        places.push(end..end + part.to.len());
        end = (end + part.to.len()).next_multiple_of(8);
    }
    let down = gpu.take(Use::Download, end as u64)?;
    let sources = parts.iter().map(|part| buffer_of(&part.block)).collect::<Result<Vec<_>>>()?;
    let (done, mapped) = mpsc::channel();
    let submission = link.watched(doing, || {
        let mut encoder =
            link.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for ((part, place), source) in parts.iter().zip(&places).zip(sources) {
            let (to, len) = (place.start as u64, part.to.len() as u64);
            encoder.copy_buffer_to_buffer(source, part.at, &down, to, len);
        }
        let submission = link.queue.submit([encoder.finish()]);
        // If the caller has given up waiting, nothing receives the outcome.
        let tell = move |outcome| drop(done.send(outcome));
        down.slice(0..end as u64).map_async(wgpu::MapMode::Read, tell);
        submission
    })?;
    gpu.wait_for(doing, submission, Some(&mapped), (None, None))?;
    let copied = link.watched(doing, || {
        let view = down.get_mapped_range(0..end as u64)?;
        for (part, place) in parts.iter().zip(&places) {
            part.to.write(0, &view[place.clone()]);
        }
        drop(view);
        down.unmap();
        Ok::<_, wgpu::MapRangeError>(())
    })?;
    if let Err(error) = copied {
        link.check_alive(doing)?;
        return Err(link.error(doing, error.to_string()));
    }
    gpu.pool.put_back([(Use::Download, down)]);
    Ok(())
}
