//! Memory of a device that outlives chunks.
//!
//! A device that computes on copies may keep them: a [`Block`] is memory of the device, filled and
//! read through its [`Store`], and bound by chunks that are started with it. Everything that a
//! store does is in order with the chunks of its device: an upload is seen by the chunks that are
//! started after it, a download sees what the chunks did that were started before. Which bytes of
//! a block are of any worth is not known here; `memory` keeps that.

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::HostBytes;
use crate::error::Result;

/// Some memory of a device; given back when the last clone is dropped. Its contents are garbage
/// until they are written.
#[derive(Clone)]
pub(crate) struct Block(Arc<dyn Any + Send + Sync>);

impl Block {
    pub(crate) fn new(memory: impl Any + Send + Sync) -> Block {
        Block(Arc::new(memory))
    }

    /// What the device made it of.
    pub(crate) fn get<M: Any>(&self) -> Option<&M> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block").finish_non_exhaustive()
    }
}

/// A part of a block that comes to the host.
#[derive(Debug)]
pub(crate) struct Fetch<'a> {
    pub(crate) block: Block,
    /// The first byte in the block, a multiple of 4.
    pub(crate) at: u64,
    /// Where it goes; a multiple of 4 bytes long.
    pub(crate) to: HostBytes<'a>,
}

/// The memory of a device, for who keeps something in it. All offsets and lengths are multiples of
/// 4 bytes.
pub(crate) trait Store: Send + Sync {
    /// Bytes of the largest block.
    fn largest(&self) -> u64;

    /// A block of so many bytes, at least 16.
    fn allocate(&self, bytes: u64) -> Result<Block>;

    /// Copies from the host, from byte `at` of the block on.
    fn upload(&self, block: &Block, at: u64, from: HostBytes<'_>) -> Result<()>;

    /// Copies to the host, and waits until it has.
    fn download(&self, parts: &[Fetch<'_>]) -> Result<()>;

    /// Copies from one block to another of this device.
    fn copy(&self, from: &Block, range: Range<u64>, to: &Block, at: u64) -> Result<()>;
}

/// What a chunk finds on its device for one storage binding: nothing of it is brought, and what it
/// writes stays there. The binding is a runtime-sized array without a header.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) block: Block,
    /// The elements of the binding that lie in the block, from its first byte on.
    pub(crate) elements: Range<u64>,
}
