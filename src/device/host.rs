//! Host memory that several devices write at once.
//!
//! [`HostBytes`] is the one place where a launch's host memory is touched. All accesses are
//! relaxed atomics of the access's own width, so that even a kernel that races computes something
//! and is never undefined behaviour in Rust. Offsets are checked; an access outside is a bug of
//! the caller and panics in every build.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering::Relaxed};

/// A borrowed range of host memory, aligned to 4 bytes, shared between threads and writable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostBytes<'a> {
    start: *mut u8,
    len: usize,
    memory: PhantomData<&'a [AtomicU8]>,
}

// SAFETY: all access goes through relaxed atomics (see the methods), and the lifetime keeps the
// memory alive; `from_raw`'s caller guarantees that nobody holds a `&mut` or reads it plainly.
unsafe impl Send for HostBytes<'_> {}
// SAFETY: as for Send.
unsafe impl Sync for HostBytes<'_> {}

impl<'a> HostBytes<'a> {
    /// A view of exclusive memory.
    ///
    /// # Panics
    /// When the slice does not start at a multiple of 4.
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        // SAFETY: the exclusive borrow lives as long as the view does.
        unsafe { Self::from_raw(bytes.as_mut_ptr(), bytes.len()) }
    }

    /// A view of memory whose exclusivity is kept by other means.
    ///
    /// # Safety
    /// `start` must be valid for reads and writes of `len` bytes for `'a`, and during `'a` nobody
    /// may access it but through `HostBytes`.
    pub(crate) unsafe fn from_raw(start: *mut u8, len: usize) -> Self {
        assert!((start as usize).is_multiple_of(4), "host memory must be aligned to 4 bytes");
        HostBytes { start, len, memory: PhantomData }
    }

    /// A view of nothing.
    pub(crate) fn empty() -> Self {
        HostBytes {
            start: std::ptr::NonNull::<u32>::dangling().as_ptr().cast(),
            len: 0,
            memory: PhantomData,
        }
    }

    /// Bytes in the view.
    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// The part of the view from `start` on, `len` bytes. `start` is a multiple of 4.
    pub(crate) fn part(self, start: usize, len: usize) -> HostBytes<'a> {
        self.check(start, len, 4);
        // SAFETY: `check` saw that the part is inside; it inherits the promise made for `self`.
        unsafe { Self::from_raw(self.start.add(start), len) }
    }

    #[inline]
    fn check(self, offset: usize, size: usize, align: usize) {
        assert!(
            offset.is_multiple_of(align)
                && offset.checked_add(size).is_some_and(|end| end <= self.len),
            "host access of {size} bytes at {offset} outside of {} bytes",
            self.len
        );
    }

    /// The word at a byte offset, as an atomic.
    #[inline]
    pub(crate) fn u32_at(self, offset: usize) -> &'a AtomicU32 {
        self.check(offset, 4, 4);
        // SAFETY: inside (checked), aligned (start by `from_raw`, offset checked), alive for 'a,
        // and only accessed atomically (`from_raw`'s promise).
        unsafe { AtomicU32::from_ptr(self.start.add(offset).cast()) }
    }

    /// The half word at a byte offset, as an atomic.
    #[inline]
    pub(crate) fn u16_at(self, offset: usize) -> &'a AtomicU16 {
        self.check(offset, 2, 2);
        // SAFETY: as in `u32_at`.
        unsafe { AtomicU16::from_ptr(self.start.add(offset).cast()) }
    }

    #[inline]
    fn u8_at(self, offset: usize) -> &'a AtomicU8 {
        self.check(offset, 1, 1);
        // SAFETY: as in `u32_at`.
        unsafe { AtomicU8::from_ptr(self.start.add(offset)) }
    }

    /// Copies out of the view, from a byte offset that is a multiple of 2.
    pub(crate) fn read(self, offset: usize, out: &mut [u8]) {
        self.check(offset, out.len(), 1);
        let mut at = offset;
        let mut rest = out;
        while !at.is_multiple_of(4) && !rest.is_empty() {
            rest[0] = self.u8_at(at).load(Relaxed);
            (at, rest) = (at + 1, &mut rest[1..]);
        }
        let mut words = rest.chunks_exact_mut(4);
        for word in &mut words {
            word.copy_from_slice(&self.u32_at(at).load(Relaxed).to_ne_bytes());
            at += 4;
        }
        for byte in words.into_remainder() {
            *byte = self.u8_at(at).load(Relaxed);
            at += 1;
        }
    }

    /// Copies into the view. Bytes outside the range are not touched, not even rewritten.
    pub(crate) fn write(self, offset: usize, data: &[u8]) {
        self.check(offset, data.len(), 1);
        let mut at = offset;
        let mut rest = data;
        while !at.is_multiple_of(4) && !rest.is_empty() {
            self.u8_at(at).store(rest[0], Relaxed);
            (at, rest) = (at + 1, &rest[1..]);
        }
        let words = rest.chunks_exact(4);
        let tail = words.remainder();
        for word in words {
            self.u32_at(at)
                .store(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]), Relaxed);
            at += 4;
        }
        for byte in tail {
            self.u8_at(at).store(*byte, Relaxed);
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_touch_exactly_their_range_at_every_alignment() {
        for start in 0..9 {
            for len in 0..9 {
                let mut words = [u32::from_ne_bytes([0xAA; 4]); 5];
                let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
                let data: Vec<u8> = (1..=len as u8).collect();
                let view = HostBytes::new(bytes);
                view.write(start, &data);
                let mut back = vec![0; len];
                view.read(start, &mut back);
                assert_eq!(back, data);
                for (i, byte) in bytes.iter().enumerate() {
                    let inside = (start..start + len).contains(&i);
                    assert_eq!(*byte, if inside { data[i - start] } else { 0xAA });
                }
            }
        }
    }
}
