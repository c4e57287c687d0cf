//! Host memory of a buffer: either zeroed and aligned to a cache line, or taken over from a `Vec`. A failed
//! allocation never aborts.
//!
//! A large allocation asks for huge pages: a kernel that walks down a column, or from row to row of a matrix,
//! touches more pages than the processor keeps translations of. The memory is handed out as [`HostBytes`] only;
//! `gate` decides which access may run when.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::Range;
use std::ptr::NonNull;

use bytemuck::Pod;

use crate::device::HostBytes;

/// One allocation. Its address never changes.
#[derive(Debug)]
pub(super) struct Allocation {
    /// The allocator's block and its layout; `None` for zero bytes.
    given: Option<(NonNull<u8>, Layout)>,
    /// The first cache line in the block; for a `Vec`, its first element.
    start: NonNull<u8>,
    /// Bytes that the user asked for.
    len: usize,
    /// Whether the block was taken over from a `Vec`.
    from_vec: bool,
}

// SAFETY: the allocation is plain memory, owned by this value; access to it is through
// `HostBytes`, whose accesses are atomic.
unsafe impl Send for Allocation {}
// SAFETY: as for Send.
unsafe impl Sync for Allocation {}

const LINE: usize = 64;

impl Allocation {
    /// Zeroed memory, or `None` if the host cannot allocate it.
    pub(super) fn zeroed(len: u64) -> Option<Allocation> {
        let len = usize::try_from(len).ok()?;
        if len == 0 {
            return Some(Allocation { given: None, start: dangling(), len, from_vec: false });
        }
        // The allocator gets zeroed pages from the system, which cost nothing until touched, only for
        // small alignments. For a larger one it writes the zeros. So the block is a line longer, and
        // the aligned line is found inside it.
        let layout = Layout::from_size_align(len.checked_add(LINE)?, 16).ok()?;
        // SAFETY: the layout's size is not zero.
        let given = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        // SAFETY: the offset is less than LINE, and the block is `len + LINE` bytes.
        let start = unsafe { given.add(given.align_offset(LINE).min(LINE)) };
        prefer_huge_pages(start, len);
        Some(Allocation { given: Some((given, layout)), start, len, from_vec: false })
    }

    /// Takes over a `Vec`'s memory. Gives the `Vec` back if it is empty or not aligned to 4 bytes: the memory
    /// is accessed in words.
    pub(super) fn of_vec<T: Pod>(data: Vec<T>) -> Result<Allocation, Vec<T>> {
        let (len, capacity) = (size_of_val(data.as_slice()), data.capacity());
        let layout = Layout::array::<T>(capacity);
        let start = NonNull::from(data.as_slice()).cast::<u8>();
        match layout {
            Ok(layout) if len > 0 && (start.as_ptr() as usize).is_multiple_of(4) => {
                let mut data = std::mem::ManuallyDrop::new(data);
                let start = NonNull::new(data.as_mut_ptr().cast()).unwrap_or(start);
                Ok(Allocation { given: Some((start, layout)), start, len, from_vec: true })
            }
            _ => Err(data),
        }
    }

    /// Turns the memory back into the `Vec` that it came from. Returns itself if it came from none, or from a
    /// `Vec` of another layout.
    pub(super) fn into_vec<T: Pod>(self) -> Result<Vec<T>, Allocation> {
        let Some((start, layout)) = self.given.filter(|_| self.from_vec) else { return Err(self) };
        let (size, align) = (size_of::<T>(), align_of::<T>());
        if size == 0 || layout.align() != align || !layout.size().is_multiple_of(size) {
            return Err(self);
        }
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: `of_vec` took this memory from a `Vec` of elements of this alignment. The capacity
        // has these bytes, the first `len` of them are initialised, and any bytes are a `T`. `this` is
        // not dropped, so the memory has one owner. No view of it is left: the caller owns the
        // allocation.
        Ok(unsafe {
            Vec::from_raw_parts(start.as_ptr().cast(), this.len / size, layout.size() / size)
        })
    }

    /// The memory. The caller chooses the lifetime, see Safety.
    ///
    /// # Safety
    /// The view must not outlive the allocation, and the caller holds a pass of the buffer's gate that covers
    /// its accesses: while a view is written to, those bytes are accessed through views only.
    pub(super) unsafe fn view<'a>(&self) -> HostBytes<'a> {
        // SAFETY: `start` is valid for `len` bytes while the allocation lives (caller's promise),
        // aligned to a line, and only ever accessed through `HostBytes`.
        unsafe { HostBytes::from_raw(self.start.as_ptr(), self.len) }
    }
}

/// The huge page of x86-64, and of AArch64 with pages of 4 KiB; a multiple of other page sizes.
#[cfg(target_os = "linux")]
const HUGE: usize = 2 << 20;

/// Asks for huge pages if at least two fit. A failure is ignored: huge pages only affect speed.
fn prefer_huge_pages(start: NonNull<u8>, len: usize) {
    #[cfg(target_os = "linux")]
    {
        let skipped = start.align_offset(HUGE);
        let whole = len.saturating_sub(skipped) / HUGE * HUGE;
        if whole >= 2 * HUGE {
            // SAFETY: the range lies inside of an allocation of at least `len` bytes, its ends are
            // multiples of a page, and the advice changes nothing that a program can see.
            unsafe {
                libc::madvise(start.as_ptr().add(skipped).cast(), whole, libc::MADV_HUGEPAGE)
            };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (start, len);
}

fn dangling() -> NonNull<u8> {
    NonNull::<[u64; LINE / 8]>::dangling().cast()
}

impl Drop for Allocation {
    fn drop(&mut self) {
        if let Some((given, layout)) = self.given {
            // SAFETY: `zeroed`, or the `Vec` that `of_vec` took it from, allocated it with this layout,
            // and it is dropped once.
            unsafe { dealloc(given.as_ptr(), layout) }
        }
    }
}

/// Copies a range to the same offset.
pub(super) fn copy(from: HostBytes<'_>, to: HostBytes<'_>, range: &Range<u64>) {
    let (mut at, end, mut piece) = (range.start as usize, range.end as usize, [0; 8192]);
    while at < end {
        let piece = &mut piece[..8192.min(end - at)];
        from.read(at, piece);
        to.write(at, piece);
        at += piece.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_sizes_are_refused_and_not_fatal() {
        assert!(Allocation::zeroed(u64::MAX).is_none());
        assert!(Allocation::zeroed(1 << 62).is_none());
        assert!(Allocation::zeroed(0).is_some());
    }

    #[test]
    fn memory_begins_at_a_cache_line_and_is_zero() {
        for len in [1, 63, 64, 65, 100_000] {
            let memory = Allocation::zeroed(len).unwrap();
            assert!((memory.start.as_ptr() as usize).is_multiple_of(LINE));
            let mut bytes = vec![1; len as usize];
            // SAFETY: the test owns this memory alone.
            unsafe { memory.view() }.read(0, &mut bytes);
            assert!(bytes.iter().all(|&b| b == 0));
        }
    }
}
