//! The pool of a device's unused buffers.
//!
//! A pooled buffer keeps the contents that its last user left; the next user writes the bytes that
//! matter. A chunk's buffers return when the device has finished with them (for blocks see
//! `store`). Sizes are rounded up to one of 16 steps per power of two, at most an eighth more than
//! requested, so that chunks of slowly shrinking sizes find buffers that fit. The unused memory is
//! bounded; the longest unused buffer is freed first. The pool does not count the memory in use:
//! that is the planner's budget.

use std::sync::{Mutex, PoisonError};

/// What a buffer is for. Buffers of different uses are never exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// A window of a storage binding, or the fault word.
    Window,
    /// Uniforms and per-chunk blocks.
    Uniform,
    /// Where a download is mapped.
    Download,
}

impl Use {
    pub(super) fn usages(self) -> wgpu::BufferUsages {
        use wgpu::BufferUsages as U;
        match self {
            Use::Window => U::STORAGE | U::COPY_DST | U::COPY_SRC,
            Use::Uniform => U::UNIFORM | U::COPY_DST,
            Use::Download => U::MAP_READ | U::COPY_DST,
        }
    }
}

/// A device's unused buffers.
#[derive(Debug)]
pub(super) struct Pool {
    free: Mutex<Vec<(Use, wgpu::Buffer)>>,
    /// The most bytes of unused buffers.
    keep: u64,
}

impl Pool {
    pub(super) fn new(keep: u64) -> Pool {
        Pool { free: Mutex::new(Vec::new()), keep }
    }

    /// An unused buffer of a size class, if there is one.
    pub(super) fn take(&self, purpose: Use, class: u64) -> Option<wgpu::Buffer> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // The most recently used buffer is the most likely to be in a cache.
        let at = free.iter().rposition(|(p, buffer)| *p == purpose && buffer.size() == class)?;
        Some(free.remove(at).1)
    }

    /// Takes back buffers.
    pub(super) fn put_back(&self, buffers: impl IntoIterator<Item = (Use, wgpu::Buffer)>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.extend(buffers);
        let mut kept: u64 = free.iter().map(|(_, buffer)| buffer.size()).sum();
        let too_many = free
            .iter()
            .take_while(|(_, buffer)| {
                let over = kept > self.keep;
                kept -= if over { buffer.size() } else { 0 };
                over
            })
            .count();
        free.drain(..too_many);
    }

    /// Gives all unused memory back to the driver.
    pub(super) fn clear(&self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The size class of a buffer for `bytes` bytes.
pub(super) fn class(bytes: u64, largest: u64) -> u64 {
    let step = (bytes.max(1).checked_next_power_of_two().unwrap_or(bytes) / 16).max(256);
    bytes.max(1).div_ceil(step).saturating_mul(step).min(largest.max(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_fits_wastes_at_most_an_eighth_and_respects_the_limit() {
        let limit = (1 << 31) - 4;
        for bytes in (1..5000).chain([1 << 20, (1 << 20) + 1, 3 << 28, limit - 1, limit]) {
            let class = class(bytes, limit);
            assert!(class >= bytes && class <= limit, "{bytes} -> {class}");
            assert!(class.is_multiple_of(4), "{bytes} -> {class}");
            assert!(class <= (bytes + bytes / 8 + 256), "{bytes} -> {class}");
            assert_eq!(super::class(class, limit), class);
        }
    }
}
