//! [`GpuDevice`] as the runtime sees it: a device that runs chunks.

use std::sync::Arc;

use super::logical::GpuDevice;
use super::{batch, chunk, failure};
use crate::device::{Chunk, ChunkCost, Device, DeviceInfo, DeviceKind, Held, Running, Store};
use crate::error::Result;
use crate::kernel::Kernel;

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
            let cause = "it belongs to the application; make a runtime from a new device";
            return Err(self.link.error("open the device again", cause));
        };
        let (id, settings) = (self.link.info.id.clone(), self.link.settings.clone());
        // The old device keeps only the buffers that its chunks still use.
        self.pool.clear();
        Ok(Some(Arc::new(GpuDevice::open_with(adapter, id, settings)?)))
    }

    fn depth(&self) -> usize {
        // While one chunk computes, the next is uploaded; on a discrete GPU a third is downloaded.
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
        // coexec does not fill the memory of an application's device.
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
                // Uploads take memory, too. The emptied pool leaves more for the next chunk.
                if failure::is_out_of_memory(&error) {
                    self.pool.clear();
                }
                Err(error)
            }
        }
    }
}
