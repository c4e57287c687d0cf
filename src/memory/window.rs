//! A window: the block of a device's store that holds a range of a buffer.

use std::ops::Range;
use std::sync::Arc;

use super::device_memory::DeviceMemory;
use crate::device::{Block, Store};
use crate::error::{Error, FailureKind, Result};

#[derive(Debug)]
pub(super) struct Window {
    pub(super) block: Block,
    pub(super) bytes: Range<u64>,
    /// Chunks that use the block and have not ended.
    pub(super) in_flight: u32,
    pub(super) memory: Arc<DeviceMemory>,
}

impl Drop for Window {
    fn drop(&mut self) {
        self.memory.gives(self.bytes.end - self.bytes.start);
    }
}

/// A block, or `None` if the device has no memory left.
pub(super) fn allocate(store: &dyn Store, bytes: u64) -> Result<Option<Block>> {
    match store.allocate(bytes) {
        Ok(block) => Ok(Some(block)),
        Err(Error::Device { kind: FailureKind::OutOfMemory, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
