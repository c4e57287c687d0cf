//! The integers in the host's copy of a buffer: the least and the largest of any range of elements.
//!
//! A [`Version`] stands for the contents of a buffer between two writes. For a wide range the answer comes from
//! a pyramid of blocks, which is built on the first request and kept as long as the version. For a narrow range
//! the elements are read one by one. Results that follow from contents are keyed on the version's number, which
//! is unique.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};

use super::domain::{IntType, Interval};
use crate::device::HostBytes;

/// Elements, or blocks of the level below, that one block summarises.
const BLOCK: u64 = 1024;
/// Ranges up to this length are read element by element.
const NARROW: u64 = 2 * BLOCK;

/// One version of a buffer's contents, with the pyramids that were built for it.
#[derive(Debug)]
pub(crate) struct Version {
    number: u64,
    pyramids: Mutex<Vec<(Series, Arc<Pyramid>)>>,
    looked_at: AtomicU64,
}

/// A buffer's contents as a launch binds them.
#[derive(Debug, Clone)]
pub(crate) struct Contents<'a> {
    /// The bytes of the binding.
    pub(crate) bytes: HostBytes<'a>,
    /// The byte of the buffer at which the binding begins.
    pub(crate) start: u64,
    pub(crate) version: Arc<Version>,
    /// Present if the host's bytes are stale: a read sets the flag and gives no result.
    pub(crate) absent: Option<&'a AtomicBool>,
}

/// Equally spaced integers of a buffer, from a byte offset on.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Series {
    ty: IntType,
    /// In bytes, from the start of the buffer.
    first: u64,
    stride: u64,
    count: u64,
}

/// The least and the largest integers of blocks, of blocks of blocks, and so on.
#[derive(Debug)]
struct Pyramid {
    levels: Vec<Vec<(i64, i64)>>,
}

impl Version {
    /// A new version with a unique number.
    pub(crate) fn new() -> Arc<Version> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Relaxed);
        Arc::new(Version { number, pyramids: Mutex::default(), looked_at: AtomicU64::new(0) })
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The number of elements that were read to build the pyramids.
    pub(crate) fn looked_at(&self) -> u64 {
        self.looked_at.load(Relaxed)
    }
}

impl Contents<'_> {
    /// The least and the largest of the integers of elements `first` to `last`. Element 0 lies at byte `at` of
    /// the binding, the others follow every `stride` bytes, and there are `count`. `None` if the bytes end
    /// before the last element.
    pub(super) fn range(
        &self,
        ty: IntType,
        (at, stride, count): (u64, u64, u64),
        first: u64,
        last: u64,
    ) -> Option<Interval> {
        let end = at.checked_add(last.checked_mul(stride)?)?.checked_add(4)?;
        if first > last || last >= count || end > self.bytes.len() as u64 || stride == 0 {
            return None;
        }
        if let Some(wanted) = self.absent {
            wanted.store(true, Relaxed);
            return None;
        }
        let (lo, hi) = if last - first < NARROW {
            self.look(ty, at, stride, first, last)
        } else {
            let series = Series { ty, first: self.start + at, stride, count };
            let pyramid = self.pyramid(series, at)?;
            self.extremes_of(&pyramid, ty, (at, stride), first, last)
        };
        Some(Interval::new(lo.into(), hi.into()))
    }

    /// As `range`, reading each element.
    fn look(&self, ty: IntType, at: u64, stride: u64, first: u64, last: u64) -> (i64, i64) {
        let (mut lo, mut hi) = (i64::MAX, i64::MIN);
        for element in first..=last {
            let word = self.bytes.u32_at((at + element * stride) as usize).load(Relaxed);
            let value = match ty {
                IntType::U32 => i64::from(word),
                IntType::I32 => i64::from(word as i32),
            };
            (lo, hi) = (lo.min(value), hi.max(value));
        }
        (lo, hi)
    }

    /// The kept pyramid, or a new one. It has whole blocks only: the elements after them are read one by one.
    fn pyramid(&self, series: Series, at: u64) -> Option<Arc<Pyramid>> {
        let whole = series.count / BLOCK;
        let end =
            (whole * BLOCK).checked_sub(1)?.checked_mul(series.stride)?.checked_add(at + 4)?;
        if end > self.bytes.len() as u64 {
            return None;
        }
        // The lock is held while it is built: launches that need the same pyramid wait for it.
        let mut pyramids = self.version.pyramids.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = pyramids.iter().find(|(other, _)| *other == series) {
            return Some(known.clone());
        }
        let mut levels: Vec<Vec<(i64, i64)>> = vec![
            (0..whole)
                .map(|block| {
                    let first = block * BLOCK;
                    self.look(series.ty, at, series.stride, first, first + BLOCK - 1)
                })
                .collect(),
        ];
        while let Some(below) = levels.last().filter(|level| level.len() as u64 >= BLOCK) {
            levels.push(below.chunks_exact(BLOCK as usize).map(fold).collect());
        }
        self.version.looked_at.fetch_add(whole * BLOCK, Relaxed);
        let built = Arc::new(Pyramid { levels });
        pyramids.push((series, built.clone()));
        Some(built)
    }

    fn extremes_of(
        &self,
        pyramid: &Pyramid,
        ty: IntType,
        (at, stride): (u64, u64),
        first: u64,
        last: u64,
    ) -> (i64, i64) {
        let mut found = (i64::MAX, i64::MIN);
        let mut add = |(lo, hi): (i64, i64)| found = (found.0.min(lo), found.1.max(hi));
        // Elements outside of whole blocks are read on both sides; the rest comes from one level up.
        let (mut start, mut end) = (first, last + 1);
        let (inner, outer) = (start.next_multiple_of(BLOCK), end / BLOCK * BLOCK);
        if start < inner {
            add(self.look(ty, at, stride, start, inner - 1));
        }
        if outer < end {
            add(self.look(ty, at, stride, outer, end - 1));
        }
        (start, end) = (inner / BLOCK, outer / BLOCK);
        for (height, level) in pyramid.levels.iter().enumerate() {
            let above = pyramid.levels.get(height + 1).map_or(0, |level| level.len() as u64);
            let (inner, outer) = (start.next_multiple_of(BLOCK), end / BLOCK * BLOCK);
            if inner >= outer.min(above * BLOCK) {
                add(fold(&level[start as usize..end as usize]));
                break;
            }
            let outer = outer.min(above * BLOCK);
            add(fold(&level[start as usize..inner as usize]));
            add(fold(&level[outer as usize..end as usize]));
            (start, end) = (inner / BLOCK, outer / BLOCK);
        }
        found
    }
}

fn fold(blocks: &[(i64, i64)]) -> (i64, i64) {
    blocks.iter().fold((i64::MAX, i64::MIN), |all, one| (all.0.min(one.0), all.1.max(one.1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_stretch_gives_the_same_as_looking_at_each_element() {
        let mut seed = 7u64;
        let mut random = move |n: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % n
        };
        let count = 3 * BLOCK * BLOCK + 5 * BLOCK + 17;
        let mut words: Vec<u32> = (0..=count).map(|_| random(1 << 32) as u32).collect();
        let bytes = HostBytes::new(bytemuck::cast_slice_mut(&mut words));
        let contents = Contents { bytes, start: 0, version: Version::new(), absent: None };
        for round in 0..60 {
            let (a, b) = (random(count), random(count));
            let (mut first, mut last) = (a.min(b), a.max(b));
            if round % 3 == 0 {
                (first, last) = (first / BLOCK * BLOCK, last / BLOCK * BLOCK);
            }
            if round == 1 {
                (first, last) = (0, count - 1);
            }
            for ty in [IntType::U32, IntType::I32] {
                let (lo, hi) = contents.look(ty, 4, 4, first, last);
                let want = Interval::new(lo.into(), hi.into());
                let got = contents.range(ty, (4, 4, count), first, last);
                assert_eq!(got, Some(want), "{first}..={last}");
            }
        }
        // One pyramid is built per type.
        assert_eq!(contents.version.looked_at(), 2 * (count / BLOCK * BLOCK));
    }

    #[test]
    fn what_lies_outside_of_the_bytes_is_not_known() {
        let mut words = vec![1u32; 10];
        let bytes = HostBytes::new(bytemuck::cast_slice_mut(&mut words));
        let contents = Contents { bytes, start: 0, version: Version::new(), absent: None };
        assert_eq!(contents.range(IntType::U32, (0, 4, 10), 2, 9), Some(Interval::single(1)));
        assert_eq!(contents.range(IntType::U32, (4, 4, 10), 2, 9), None);
        assert_eq!(contents.range(IntType::U32, (0, 4, 9), 2, 9), None);
        assert_ne!(Version::new().number(), Version::new().number());
    }
}
