//! `Buffer<T>`: the array that a user makes, fills, binds to launches and reads.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Bound, Range, RangeBounds};
use std::sync::Arc;

use bytemuck::Pod;

use super::allocation::Allocation;
use super::part::BufferRange;
use super::shared::Shared;
use crate::device::HostBytes;
use crate::error::{Error, Result};
use crate::kernel::RustType;
use crate::pending::Pending;

/// One logical array, shared by all its clones.
///
/// Reading waits for every launch that was started earlier, so it sees their results.
///
/// Results of a launch on a GPU stay there until another device or the host needs them. If the GPU is lost
/// meanwhile, the bytes that only it had are computed again when they are needed. They are computed from a log
/// of the launches that they follow from, with those launches' inputs as they were: on a device of the same
/// kind if one is left, to the same bits. The log has a budget
/// ([`RuntimeBuilder::log_memory`](crate::RuntimeBuilder::log_memory)). Results for which it has no room are
/// fetched from the devices in time, as long as it has room for the launches in flight. A launch is not
/// computed again if it might give another result (atomics whose order shows, subgroups, workgroups that may
/// meet in one buffer), or if it changes a buffer both on a GPU and in host memory. The lost results of such a
/// launch, and of launches that follow from it, are [`Error::Poisoned`], with the reason. So are lost results
/// while no device is left that could compute them.
///
/// ```
/// # use coexec::Buffer;
/// let buffer = Buffer::from_slice(&[1.0f32, 2.0, 3.0]);
/// buffer.write(1, &[20.0])?;
/// assert_eq!(buffer.to_vec()?, [1.0, 20.0, 3.0]);
/// # Ok::<(), coexec::Error>(())
/// ```
pub struct Buffer<T> {
    shared: Arc<Shared>,
    len: u64,
    elements: PhantomData<fn() -> T>,
}

impl<T: Pod> Buffer<T> {
    /// A buffer with a copy of these elements.
    ///
    /// If the host has no memory for it, the buffer is poisoned from the start: launches and reads return the
    /// error.
    ///
    /// ```
    /// let data = coexec::Buffer::from_slice(&[1.0f32, 2.0, 3.0, 4.0]);
    /// assert_eq!(data.len(), 4);
    /// ```
    pub fn from_slice(data: &[T]) -> Buffer<T> {
        let buffer = Buffer::zeroed(data.len());
        if buffer.shared.memory.is_some() {
            // SAFETY: the buffer is new and has no other clone, so no pass is needed.
            unsafe { buffer.shared.view() }.write(0, bytemuck::cast_slice(data));
        }
        buffer
    }

    /// A buffer that takes over the memory of `data`, without a copy. The memory keeps the `Vec`'s alignment,
    /// so lanes may straddle cache lines, and it has small pages. For data that is computed on many times,
    /// [`Buffer::from_slice`] is better. Elements of one or two bytes may have to be copied here, too.
    ///
    /// ```
    /// # use coexec::Buffer;
    /// let buffer = Buffer::from_vec(vec![1.0f32; 1000]);
    /// buffer.write(0, &[2.0])?;
    /// assert_eq!(buffer.into_vec()?[..2], [2.0, 1.0]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn from_vec(data: Vec<T>) -> Buffer<T> {
        let len = data.len() as u64;
        match Allocation::of_vec(data) {
            Ok(memory) => {
                let shared = Shared::of(len * size_of::<T>() as u64, Some(memory));
                Buffer { shared, len, elements: PhantomData }
            }
            Err(data) => Buffer::from_slice(&data),
        }
    }

    /// A buffer of `len` elements whose bytes are all zero. Costs no time until it is touched.
    ///
    /// If the host has no memory for it, the buffer is poisoned from the start: launches and reads return the
    /// error.
    ///
    /// ```
    /// let data = coexec::Buffer::<u32>::zeroed(1 << 20);
    /// assert_eq!(data.read(..2)?, [0, 0]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn zeroed(len: usize) -> Buffer<T> {
        let bytes = (len as u64).saturating_mul(size_of::<T>() as u64);
        Buffer { shared: Shared::new(bytes), len: len as u64, elements: PhantomData }
    }

    /// The number of elements.
    ///
    /// ```
    /// assert_eq!(coexec::Buffer::<[f32; 4]>::zeroed(10).len(), 10);
    /// ```
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there are no elements.
    ///
    /// ```
    /// assert!(coexec::Buffer::<f32>::zeroed(0).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A copy of all elements. Waits for every launch that was started before.
    ///
    /// ```
    /// let data = coexec::Buffer::from_slice(&[1.0f32, 2.0, 3.0, 4.0]);
    /// assert_eq!(data.to_vec()?, [1.0, 2.0, 3.0, 4.0]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Poisoned`] after a launch that failed while writing the buffer.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        self.read(..)
    }

    /// All elements. Waits for every launch that was started before. Makes no copy if [`Buffer::from_vec`] made
    /// the buffer and it has no other clone.
    ///
    /// ```
    /// let data = coexec::Buffer::from_vec(vec![1u32, 2, 3]);
    /// assert_eq!(data.into_vec()?, [1, 2, 3]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Poisoned`] after a launch that failed while writing the buffer.
    pub fn into_vec(self) -> Result<Vec<T>> {
        let (len, elements) = (self.len, self.elements);
        let mut shared = match Arc::try_unwrap(self.shared) {
            Ok(shared) => shared,
            Err(shared) => return Buffer { shared, len, elements }.to_vec(),
        };
        // No other clone is left that could change the buffer.
        shared.with(false, |_| {
            shared.check_poison()?;
            let all = 0..shared.bytes;
            shared.fetch(&all, &|_, _| {})?;
            shared.read_by_host(&all);
            Ok(())
        })?;
        match shared.take_memory().map(Allocation::into_vec) {
            Some(Ok(data)) => return Ok(data),
            Some(Err(memory)) => shared.memory = Some(memory),
            None => {}
        }
        Buffer { shared: Arc::new(shared), len, elements }.to_vec()
    }

    /// A copy of some elements. Waits for every launch that was started before.
    ///
    /// ```
    /// let data = coexec::Buffer::from_slice(&[1.0f32, 2.0, 3.0, 4.0]);
    /// assert_eq!(data.read(1..3)?, [2.0, 3.0]);
    /// assert!(data.read(3..5).is_err());
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Range`] for a range that is not inside the buffer, [`Error::Poisoned`] after a
    /// launch that failed while writing it.
    pub fn read(&self, range: impl RangeBounds<usize>) -> Result<Vec<T>> {
        let range = self.resolve(range)?;
        // Report a failed allocation of the buffer before allocating as much again.
        self.shared.check_memory()?;
        let mut out = vec![T::zeroed(); (range.end - range.start) as usize];
        self.read_into(range.start as usize, &mut out)?;
        Ok(out)
    }

    /// Copies elements from `start` on into a slice. Waits for every launch that was started before.
    ///
    /// ```
    /// let data = coexec::Buffer::from_slice(&[1.0f32, 2.0, 3.0, 4.0]);
    /// let mut two = [0.0; 2];
    /// data.read_into(2, &mut two)?;
    /// assert_eq!(two, [3.0, 4.0]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Range`] if the buffer has fewer elements, [`Error::Poisoned`] after a launch that failed while
    /// writing it.
    pub fn read_into(&self, start: usize, out: &mut [T]) -> Result<()> {
        let range = self.resolve(start..start.saturating_add(out.len()))?;
        self.shared.with(false, |bytes| self.copy_out(bytes, &range, out))
    }

    /// As [`Buffer::read`], without waiting: returns a future of the elements as they are after every launch
    /// that was started before. Later launches that write the buffer wait for the read.
    ///
    /// ```
    /// # use coexec::{Buffer, Kernel, Runtime};
    /// # let rt = Runtime::builder().devices("cpu").build()?;
    /// # let increment = Kernel::from_wgsl(
    /// #     "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
    /// #      @compute @workgroup_size(64)
    /// #      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] += 1u; }",
    /// # )?;
    /// let data = Buffer::from_slice(&[1u32; 1000]);
    /// let step = || rt.launch(&increment).bind("data", &data).invocations([1000, 1, 1]);
    /// let first = step().submit()?;
    /// let between = data.read_async(..2)?;
    /// let second = step().submit()?;
    /// assert_eq!(between.wait()?, [2, 2]); // or `between.await?`
    /// (first.wait()?, second.wait()?);
    /// assert_eq!(data.read(..2)?, [3, 3]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Range`] for a range that is not inside the buffer, [`Error::Device`] if no thread can be
    /// started. The future has the other errors of [`Buffer::read`].
    pub fn read_async(&self, range: impl RangeBounds<usize>) -> Result<Pending<Vec<T>>>
    where
        T: Send,
    {
        let range = self.resolve(range)?;
        let buffer = self.clone();
        // Queued on the caller's thread, so that reads keep the order of the caller's requests.
        let passes = buffer.shared.queue(false);
        Pending::spawn("read", 1, move |job| {
            let shared = &buffer.shared;
            shared.granted(passes, false, |bytes| {
                if job.is_cancelled() {
                    return Err(Error::Cancelled);
                }
                shared.check_memory()?;
                let mut out = vec![T::zeroed(); (range.end - range.start) as usize];
                buffer.copy_out(bytes, &range, &mut out)?;
                Ok(out)
            })
        })
    }

    /// Copies elements out, while the caller holds a granted pass.
    fn copy_out(&self, bytes: HostBytes<'_>, range: &Range<u64>, out: &mut [T]) -> Result<()> {
        self.shared.check_poison()?;
        let size = size_of::<T>() as u64;
        let wanted = range.start * size..range.end * size;
        self.shared.fetch(&wanted, &|_, _| {})?;
        self.shared.read_by_host(&wanted);
        bytes.read(range.start as usize * size_of::<T>(), bytemuck::cast_slice_mut(out));
        Ok(())
    }

    /// Overwrites elements from `start` on. Waits for every launch that was started before. Overwriting all of
    /// a poisoned buffer heals it.
    ///
    /// ```
    /// let data = coexec::Buffer::from_slice(&[1.0f32, 2.0, 3.0, 4.0]);
    /// data.write(2, &[7.0, 8.0])?;
    /// assert_eq!(data.to_vec()?, [1.0, 2.0, 7.0, 8.0]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Range`] if the elements do not fit, [`Error::Poisoned`] if only a part of a poisoned buffer is
    /// overwritten.
    pub fn write(&self, start: usize, data: &[T]) -> Result<()> {
        let range = self.resolve(start..start.saturating_add(data.len()))?;
        self.shared.with(true, |bytes| {
            if range != (0..self.len) {
                self.shared.check_poison()?;
            } else if self.shared.memory.is_some() {
                self.shared.set_poison(None);
            } else {
                self.shared.check_poison()?;
            }
            let size = size_of::<T>() as u64;
            if range == (0..self.len) {
                let all = 0..self.shared.bytes;
                self.shared.residency().host_writes(&all);
                self.shared.preserve(&all);
            } else {
                self.shared.host_writes(&(range.start * size..range.end * size))?;
            }
            bytes.write(range.start as usize * size_of::<T>(), bytemuck::cast_slice(data));
            Ok(())
        })
    }

    /// A part of the buffer, which can be bound like a buffer.
    ///
    /// ```
    /// let data = coexec::Buffer::from_slice(&[1.0f32, 2.0, 3.0, 4.0]);
    /// let half = data.slice(2..)?;
    /// assert!(data.slice(2..5).is_err());
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Range`] for a range that is not inside the buffer, or that does not start at a
    /// multiple of 4 bytes.
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Result<BufferRange> {
        let range = self.resolve(range)?;
        let size = size_of::<T>() as u64;
        if !(range.start * size).is_multiple_of(4) {
            return Err(Error::Range(format!(
                "a part that is bound must start at a multiple of 4 bytes, and element {} starts \
                 at byte {}",
                range.start,
                range.start * size
            )));
        }
        let mut part = BufferRange::from(self);
        part.bytes = range.start * size..range.end * size;
        Ok(part)
    }

    fn resolve(&self, range: impl RangeBounds<usize>) -> Result<Range<u64>> {
        let start = match range.start_bound() {
            Bound::Included(&at) => at as u64,
            Bound::Excluded(&at) => at as u64 + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&at) => (at as u64).saturating_add(1),
            Bound::Excluded(&at) => at as u64,
            Bound::Unbounded => self.len,
        };
        if start <= end && end <= self.len {
            return Ok(start..end);
        }
        Err(Error::Range(format!(
            "elements {start}..{end} were requested, and there are {}",
            self.len
        )))
    }
}

impl<T> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Buffer { shared: Arc::clone(&self.shared), len: self.len, elements: PhantomData }
    }
}

impl<T> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer")
            .field("elements", &std::any::type_name::<T>())
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl<T: Pod> From<&Buffer<T>> for BufferRange {
    fn from(buffer: &Buffer<T>) -> BufferRange {
        BufferRange {
            shared: Arc::clone(&buffer.shared),
            bytes: 0..buffer.shared.bytes,
            element: RustType::of::<T>(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_outside_are_errors_that_tell_the_length() {
        let buffer = Buffer::from_slice(&[1u32, 2, 3]);
        assert_eq!(buffer.read(1..).unwrap(), [2, 3]);
        assert!(buffer.read(3..).unwrap().is_empty());
        for bad in [2..5, 4..4] {
            assert!(buffer.read(bad).unwrap_err().to_string().contains("there are 3"));
        }
        assert!(buffer.write(usize::MAX, &[1]).is_err());
        assert!(buffer.write(2, &[1, 2]).is_err());
    }

    #[test]
    fn a_vec_is_taken_over_and_given_back_without_a_copy() {
        let mut data = Vec::with_capacity(1000);
        data.extend(0..777u32);
        let place = data.as_ptr();
        let buffer = Buffer::from_vec(data);
        buffer.write(5, &[99, 98]).unwrap();
        let mut some = [0; 3];
        buffer.read_into(4, &mut some).unwrap();
        assert_eq!(some, [4, 99, 98]);
        assert!(buffer.read_into(775, &mut some).is_err());
        let data = buffer.into_vec().unwrap();
        assert_eq!((data.as_ptr(), data.len(), data.capacity()), (place, 777, 1000));
        assert_eq!(data[4..8], [4, 99, 98, 7]);
    }

    #[test]
    fn what_somebody_else_has_or_never_was_a_vec_is_copied() {
        let buffer = Buffer::from_vec(vec![[1.0f32, 2.0]; 3]);
        let other = buffer.clone();
        assert_eq!(buffer.into_vec().unwrap(), [[1.0, 2.0]; 3]);
        let place = other.slice(1..).unwrap();
        assert_eq!(other.into_vec().unwrap(), [[1.0, 2.0]; 3]);
        drop(place);
        assert_eq!(Buffer::from_slice(&[1u64, 2]).into_vec().unwrap(), [1, 2]);
        for len in [0, 1, 2, 3, 17, 64, 1001] {
            let data: Vec<u8> = (0..len).map(|i| i as u8).collect();
            assert_eq!(Buffer::from_vec(data.clone()).into_vec().unwrap(), data);
            let data: Vec<u16> = (0..len).collect();
            assert_eq!(Buffer::from_vec(data.clone()).into_vec().unwrap(), data);
        }
        assert_eq!(Buffer::from_vec(Vec::<f64>::new()).into_vec().unwrap(), [0.0; 0]);
    }

    #[test]
    fn a_part_must_start_on_a_word() {
        let buffer = Buffer::from_slice(&[1u16, 2, 3]);
        assert!(buffer.slice(1..).unwrap_err().to_string().contains("byte 2"));
        assert_eq!(buffer.slice(2..).unwrap().len(), 2);
    }

    #[test]
    fn memory_that_cannot_be_had_is_an_error_when_used() {
        let buffer = Buffer::<u64>::zeroed(1 << 60);
        assert!(matches!(buffer.read(0..1), Err(Error::Poisoned { .. })));
        assert!(matches!(buffer.write(0, &[1]), Err(Error::Poisoned { .. })));
    }

    #[test]
    fn overlap_is_of_bytes_of_the_same_buffer() {
        let (a, b) = (Buffer::<u32>::zeroed(8), Buffer::<u32>::zeroed(8));
        let part = |buffer: &Buffer<u32>, range: Range<usize>| buffer.slice(range).unwrap();
        assert!(part(&a, 0..5).overlaps(&part(&a, 4..8)));
        assert!(!part(&a, 0..4).overlaps(&part(&a, 4..8)));
        assert!(!part(&a, 0..8).overlaps(&part(&b, 0..8)));
    }
}
