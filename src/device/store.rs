//! Memory of a device that outlives chunks.
//!
//! A [`Block`] is memory of a device that computes on copies. A [`Store`] fills and reads blocks;
//! a chunk that is started with blocks binds them. The operations of a store are in order with the
//! chunks of its device: chunks that are started after an upload see it, and a download sees the
//! writes of the chunks that were started before. `memory` keeps track of which bytes of a block
//! are valid.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::HostBytes;
use crate::error::Result;

/// A piece of a device's memory, freed when the last clone is dropped. Its contents are undefined
/// until they are written.
#[derive(Clone)]
pub(crate) struct Block(Arc<dyn Any + Send + Sync>);

impl Block {
    pub(crate) fn new(memory: impl Any + Send + Sync) -> Block {
        Block(Arc::new(memory))
    }

    /// The device's own handle of the memory, if it is an `M`.
    pub(crate) fn get<M: Any>(&self) -> Option<&M> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").finish_non_exhaustive()
    }
}

/// A part of a block to copy to the host.
#[derive(Debug)]
pub(crate) struct Fetch<'a> {
    pub(crate) block: Block,
    /// The first byte in the block, a multiple of 4.
    pub(crate) at: u64,
    /// The destination. Its length is a multiple of 4 bytes.
    pub(crate) to: HostBytes<'a>,
}

/// The memory of a device. All offsets and lengths are multiples of 4 bytes.
pub(crate) trait Store: Send + Sync {
    /// The number of bytes of the largest possible block.
    fn largest(&self) -> u64;

    /// Allocates a block of at least `bytes` bytes, and of at least 16.
    fn allocate(&self, bytes: u64) -> Result<Block>;

    /// Copies `from` into the block, from byte `at` on.
    fn upload(&self, block: &Block, at: u64, from: HostBytes<'_>) -> Result<()>;

    /// Copies the parts to the host, and waits for the copies.
    fn download(&self, parts: &[Fetch<'_>]) -> Result<()>;

    /// Copies the bytes `range` of one block of this device into another, from byte `at` on.
    fn copy(&self, from: &Block, range: Range<u64>, to: &Block, at: u64) -> Result<()>;
}

/// The part of a storage binding that already lies on the device when a chunk starts. The chunk
/// uploads nothing of the binding, and its writes stay on the device. The binding is a
/// runtime-sized array without a header.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) block: Block,
    /// The elements of the binding that lie in the block, from its first byte on.
    pub(crate) elements: Range<u64>,
}
