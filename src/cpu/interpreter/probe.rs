//! Watching a kernel while it runs.
//!
//! A [`Probe`] is told of every access to storage that an invocation really makes, so that tests
//! can hold footprints against it, and `check` can find races. Without one, `()`, the calls
//! compile to nothing.

use super::note::Note;
use super::planes::Planes;
use super::touch::Touch;
use crate::kernel::BindingId;

/// Is told of accesses. Those out of bounds do not happen.
pub(crate) trait Probe {
    /// Whether anyone listens.
    const LISTENS: bool;

    /// `bytes` bytes at `offset` of a storage binding, by one lane of the batch.
    fn touch(&mut self, binding: BindingId, offset: u64, bytes: u32, lane: usize, touch: Touch);

    /// What the lanes of a mask do next, in a program that was compiled to be watched.
    fn note(&mut self, _note: &Note, _planes: &Planes<'_>) {}
}

impl Probe for () {
    const LISTENS: bool = false;

    #[inline(always)]
    fn touch(&mut self, _: BindingId, _: u64, _: u32, _: usize, _: Touch) {}
}
