//! Private copies of buffers, for chunks that must not write in place.
//!
//! A copy is memory of a buffer's length. Only the parts that a chunk needs are filled in; the other bytes are
//! arbitrary. Copies that are given back are reused. Their memory lives as long as the [`Copies`], even if a
//! device keeps a view of it.

use std::sync::{Mutex, PoisonError};

use super::allocation::Allocation;
use crate::device::HostBytes;

/// The copies of one launch.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    /// Only grows.
    all: Mutex<Vec<Allocation>>,
    free: Mutex<Vec<(usize, usize)>>,
}

/// A copy in use.
#[derive(Debug)]
pub(crate) struct PrivateCopy<'a> {
    pub(crate) bytes: HostBytes<'a>,
    number: usize,
}

impl Copies {
    /// Memory of `len` bytes, or `None` if the host cannot allocate it.
    pub(crate) fn take(&self, len: usize) -> Option<PrivateCopy<'_>> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let number = match free.iter().position(|f| f.1 == len) {
            Some(at) => free.swap_remove(at).0,
            None => {
                all.push(Allocation::zeroed(len as u64)?);
                all.len() - 1
            }
        };
        // SAFETY: the allocation is dropped with `self`, which the view's lifetime borrows, and never
        // before. `all` only grows, and growing does not move an allocation's memory. The memory is
        // private to the launch, and is accessed through views only.
        let bytes: HostBytes<'_> = unsafe { all[number].view() };
        Some(PrivateCopy { bytes, number })
    }

    /// Takes a copy back. Remaining views of it see the writes of its next user.
    pub(crate) fn give_back(&self, copy: &PrivateCopy<'_>) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        free.push((copy.number, copy.bytes.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_apart_and_used_again_when_given_back() {
        let copies = Copies::default();
        let (a, b) = (copies.take(64).unwrap(), copies.take(64).unwrap());
        a.bytes.write(0, &[1; 64]);
        let mut seen = [9; 64];
        b.bytes.read(0, &mut seen);
        assert_eq!(seen, [0; 64]);
        copies.give_back(&a);
        assert_eq!(copies.take(32).unwrap().number, 2);
        assert_eq!(copies.take(64).unwrap().number, 0);
        assert!(copies.take(usize::MAX).is_none());
    }
}
