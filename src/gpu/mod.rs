//! The executor of GPUs, through wgpu.
//!
//! One [`GpuDevice`] is one logical device on one adapter; several on one adapter do not know of
//! each other. A chunk runs the module that `rewrite` made of its kernel, on copies of the windows
//! that it touches, and what it wrote comes back to the host only when it has succeeded. Which
//! chunk runs where, and what happens after a failure, is decided above.
//!
//! Which thread does what. This module has no threads of its own, except one for as long as a
//! kernel compiles (`pipeline`). [`Device::start`](crate::device::Device::start) runs on the caller's thread: it copies the
//! window into staging memory, records, submits, and returns while the device computes.
//! `Running::finish` runs on the caller's thread too: it waits for that one submission and copies
//! from mapped memory to the host. wgpu calls its callbacks on whichever thread happens to wait at
//! that moment; ours only send on a channel or note a failure, and never call wgpu. All methods may
//! be called from several threads at once; error scopes are per thread and never outlive a call.
//! The locks are: the pipeline cache (held while compiling), the pool's list, the time of the last
//! completion. None is held while waiting for the device, and none while another is taken.

mod adapters;
mod batch;
mod chunk;
mod dispatch;
mod failure;
mod inputs;
mod limits;
mod open;
mod pipeline;
mod pool;
mod store;
#[cfg(test)]
mod tests;
mod window;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use adapters::{AdapterHandle, adapters};
pub(crate) use open::Settings;

use crate::device::{Chunk, ChunkCost, Device, DeviceInfo, DeviceKind, Held, Running, Store};
use crate::error::Result;
use crate::kernel::Kernel;

use self::open::Link;
use self::pipeline::Pipelines;
use self::pool::{Pool, Use};

/// A logical device on a GPU.
#[derive(Debug)]
pub(crate) struct GpuDevice {
    pipelines: Pipelines,
    pool: Arc<Pool>,
    /// When the last chunk was done, so that a chunk's time does not count twice what it waited
    /// for the one before.
    last_done: Mutex<Option<Instant>>,
    /// What it was opened from, unless it is an application's.
    adapter: Option<AdapterHandle>,
    /// Dropped last: it closes the device that the others belong to.
    link: Link,
}

impl GpuDevice {
    /// Opens an adapter. It may be opened more than once, under different ids.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when the driver refuses.
    pub(crate) fn open_with(
        adapter: &AdapterHandle,
        id: String,
        settings: Settings,
    ) -> Result<GpuDevice> {
        Ok(Self::new(Link::open(adapter, id, settings)?, Some(adapter.clone())))
    }

    /// Uses a device of an application, with the features and limits that it was created with.
    /// Its callbacks are left as they are.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) when it is lost already.
    pub(crate) fn from_wgpu(
        device: wgpu::Device,
        queue: wgpu::Queue,
        id: String,
    ) -> Result<GpuDevice> {
        let link = Link::adopt(device, queue, id, Settings::default());
        link.check_alive("join an application's device")?;
        Ok(Self::new(link, None))
    }

    fn new(link: Link, adapter: Option<AdapterHandle>) -> GpuDevice {
        // Windows that are kept take the rest.
        let keep = link.info.limits.memory / 4;
        GpuDevice {
            pipelines: Pipelines::default(),
            pool: Arc::new(Pool::new(keep)),
            last_done: Mutex::new(None),
            adapter,
            link,
        }
    }

    /// A buffer of at least so many bytes. Its contents are garbage.
    fn take(&self, purpose: Use, bytes: u64) -> Result<wgpu::Buffer> {
        let link = &self.link;
        let class = pool::class(bytes, link.limits.max_buffer_size & !3);
        if let Some(buffer) = self.pool.take(purpose, class) {
            return Ok(buffer);
        }
        let doing = format!("allocate {class} bytes");
        let create = || {
            link.watched(&doing, || {
                link.device.create_buffer(&wgpu::BufferDescriptor {
                    label: None,
                    size: class,
                    usage: purpose.usages(),
                    mapped_at_creation: false,
                })
            })
        };
        match create() {
            Err(error) if failure::is_out_of_memory(&error) => {
                self.pool.clear();
                create()
            }
            other => other,
        }
    }

    /// Notes that a chunk is done, and gives the time that the device spent on it.
    fn busy_since(&self, started: Instant) -> Duration {
        let now = Instant::now();
        let mut last = self.last_done.lock().unwrap_or_else(PoisonError::into_inner);
        let from = last.map_or(started, |last| last.max(started));
        *last = Some(now);
        now.saturating_duration_since(from)
    }
}

impl Device for GpuDevice {
    fn info(&self) -> &DeviceInfo {
        &self.link.info
    }

    fn prepare(&self, kernel: &Kernel) -> Result<()> {
        self.pipelines.get(&self.link, kernel, &[]).map(drop)
    }

    fn destroy(&self) {
        self.link.device.destroy();
    }

    fn reopen(&self) -> Result<Option<Arc<dyn Device>>> {
        let Some(adapter) = &self.adapter else {
            let cause = "it belongs to the application; make a runtime of a new one";
            return Err(self.link.error("open the device again", cause));
        };
        let (id, settings) = (self.link.info.id.clone(), self.link.settings.clone());
        // The old one keeps nothing but what chunks of it still use.
        self.pool.clear();
        Ok(Some(Arc::new(GpuDevice::open_with(adapter, id, settings)?)))
    }

    fn depth(&self) -> usize {
        // While one chunk computes the next goes up; over a bus a third is on its way down.
        if self.link.info.kind == DeviceKind::DiscreteGpu { 3 } else { 2 }
    }

    fn start<'a>(&'a self, chunk: Chunk<'a>) -> Result<Box<dyn Running + 'a>> {
        self.start_with(chunk, &[])
    }

    fn runs_many(&self) -> bool {
        true
    }

    fn run_many(
        &self,
        chunks: &[(Chunk<'_>, Vec<Option<Held>>)],
        times: u32,
    ) -> Option<Result<ChunkCost>> {
        let cancel = chunks.first().and_then(|(chunk, _)| chunk.cancel);
        Some(batch::run(self, chunks, times, cancel))
    }

    fn store(&self) -> Option<&dyn Store> {
        // An application's device is not ours to fill.
        self.link.is_ours().then_some(self as &dyn Store)
    }

    fn start_with<'a>(
        &'a self,
        chunk: Chunk<'a>,
        held: &[Option<Held>],
    ) -> Result<Box<dyn Running + 'a>> {
        match chunk::start(self, chunk, held) {
            Ok(running) => Ok(Box::new(running)),
            Err(error) => {
                // Also uploads take memory; the next chunk finds more.
                if failure::is_out_of_memory(&error) {
                    self.pool.clear();
                }
                Err(error)
            }
        }
    }
}
