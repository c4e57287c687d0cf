//! Host memory that several devices write at once.
//!
//! Every access to a launch's host memory goes through [`HostBytes`]. All accesses are relaxed
//! atomics of the access's own width, so that a kernel with a data race is no undefined behaviour
//! in Rust. Offsets are checked: an access out of bounds is a bug of the caller and panics in
//! every build.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, Ordering::Relaxed};

/// The unit of copies. The widest atomic halves their time. Copies do not race with accesses of
/// another width unless the kernel itself has a race.
#[cfg(target_has_atomic = "64")]
type Wide = u64;
#[cfg(target_has_atomic = "64")]
type AtomicWide = std::sync::atomic::AtomicU64;
#[cfg(not(target_has_atomic = "64"))]
type Wide = u32;
#[cfg(not(target_has_atomic = "64"))]
type AtomicWide = AtomicU32;
const WIDE: usize = size_of::<Wide>();

/// A borrowed range of host memory, aligned to 4 bytes, shared between threads and writable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HostBytes<'a> {
    start: *mut u8,
    len: usize,
    memory: PhantomData<&'a [AtomicU8]>,
}

// SAFETY: the methods access the memory through relaxed atomics only, and the lifetime keeps it
// alive. `from_raw`'s caller guarantees that no `&mut` to it and no plain access exists.
unsafe impl Send for HostBytes<'_> {}
// SAFETY: as for Send.
unsafe impl Sync for HostBytes<'_> {}

impl<'a> HostBytes<'a> {
    /// A view of exclusive memory.
    ///
    /// # Panics
    /// When the slice does not start at a multiple of 4.
    #[cfg(any(feature = "gpu", test))]
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        // SAFETY: the exclusive borrow lives as long as the view does.
        unsafe { Self::from_raw(bytes.as_mut_ptr(), bytes.len()) }
    }

    /// A view of memory whose exclusivity is kept by other means.
    ///
    /// # Safety
    /// `start` must be valid for reads and writes of `len` bytes for `'a`, and during `'a` the
    /// memory may be accessed through `HostBytes` only.
    pub(crate) unsafe fn from_raw(start: *mut u8, len: usize) -> Self {
        assert!((start as usize).is_multiple_of(4), "host memory must be aligned to 4 bytes");
        HostBytes { start, len, memory: PhantomData }
    }

    /// An empty view.
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

    /// The `len` bytes of the view from byte `start` on. `start` is a multiple of 4.
    pub(crate) fn part(self, start: usize, len: usize) -> HostBytes<'a> {
        self.check(start, len, 4);
        // SAFETY: `check` has shown that the part is inside; `from_raw`'s promise for `self` covers
        // it.
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

    /// The whole words of the view, as atomics.
    pub(crate) fn words(self) -> &'a [AtomicU32] {
        // SAFETY: inside (rounded down to whole words), aligned (`from_raw`), alive for 'a, and
        // only accessed atomically (`from_raw`'s promise).
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.len / 4) }
    }

    #[inline]
    fn u8_at(self, offset: usize) -> &'a AtomicU8 {
        self.check(offset, 1, 1);
        // SAFETY: as in `u32_at`.
        unsafe { AtomicU8::from_ptr(self.start.add(offset)) }
    }

    /// Copies bytes from the view to `out`.
    pub(crate) fn read(self, offset: usize, out: &mut [u8]) {
        let (head, wide) = self.cut(offset, out.len());
        let (head, rest) = out.split_at_mut(head);
        let (body, tail) = rest.split_at_mut(wide * WIDE);
        for (i, byte) in head.iter_mut().enumerate() {
            *byte = self.u8_at(offset + i).load(Relaxed);
        }
        let from = offset + head.len();
        let words: *mut Wide = body.as_mut_ptr().cast();
        for i in 0..wide {
            // SAFETY: `cut` has shown that `wide` whole words from `from` on are inside, and aligned.
            // They are alive for 'a and only accessed atomically (`from_raw`'s promise). `body` has
            // `wide` words too.
            unsafe {
                let word = AtomicWide::from_ptr(self.start.add(from + i * WIDE).cast());
                words.add(i).write_unaligned(word.load(Relaxed));
            }
        }
        let from = from + body.len();
        for (i, byte) in tail.iter_mut().enumerate() {
            *byte = self.u8_at(from + i).load(Relaxed);
        }
    }

    /// Copies `data` into the view. Bytes outside the range are not even rewritten.
    pub(crate) fn write(self, offset: usize, data: &[u8]) {
        let (head, wide) = self.cut(offset, data.len());
        let (head, rest) = data.split_at(head);
        let (body, tail) = rest.split_at(wide * WIDE);
        for (i, byte) in head.iter().enumerate() {
            self.u8_at(offset + i).store(*byte, Relaxed);
        }
        let to = offset + head.len();
        let words: *const Wide = body.as_ptr().cast();
        for i in 0..wide {
            // SAFETY: as in `read`.
            unsafe {
                let word = AtomicWide::from_ptr(self.start.add(to + i * WIDE).cast());
                word.store(words.add(i).read_unaligned(), Relaxed);
            }
        }
        let to = to + body.len();
        for (i, byte) in tail.iter().enumerate() {
            self.u8_at(to + i).store(*byte, Relaxed);
        }
    }

    /// The number of bytes before the first aligned wide word of a copy, and the number of wide
    /// words.
    fn cut(self, offset: usize, len: usize) -> (usize, usize) {
        self.check(offset, len, 1);
        let head = (self.start as usize + offset).wrapping_neg() % WIDE;
        let head = head.min(len);
        (head, (len - head) / WIDE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_touch_exactly_their_range_at_every_alignment() {
        for start in 0..18 {
            for len in 0..22 {
                let mut words = [u32::from_ne_bytes([0xAA; 4]); 10];
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
