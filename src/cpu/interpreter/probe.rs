//! Observation of a kernel while it runs.
//!
//! A [`Probe`] receives every access to storage that an invocation really makes, so that tests can compare
//! footprints with the accesses, and `check` can find races. With the empty probe `()`, the calls compile to
//! nothing.

use super::note::Note;
use super::planes::Planes;
use super::touch::Touch;
use crate::kernel::BindingId;

/// Receives accesses. Accesses out of bounds do not happen.
pub(crate) trait Probe {
    /// Whether the probe uses the calls.
    const LISTENS: bool;

    /// Reports an access to `bytes` bytes at `offset` of a storage binding, by one lane of the batch.
    fn touch(&mut self, binding: BindingId, offset: u64, bytes: u32, lane: usize, touch: Touch);

    /// Reports the next event of the lanes of a mask, in a program that was compiled to be watched.
    fn note(&mut self, _note: &Note, _planes: &Planes<'_>) {}
}

impl Probe for () {
    const LISTENS: bool = false;

    #[inline(always)]
    fn touch(&mut self, _: BindingId, _: u64, _: u32, _: usize, _: Touch) {}
}
