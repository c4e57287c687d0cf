//! What a launch gives the analysis: the grid, the values of uniforms, and the storage buffers.

use super::contents::Contents;

/// What a launch gives for one binding, as far as the analysis cares.
#[derive(Debug, Clone)]
pub(crate) enum Argument<'a> {
    /// The bytes of a uniform or an immediate.
    Value(&'a [u8]),
    /// A storage buffer of so many elements; its contents, when the host holds them and the
    /// kernel only reads them.
    Storage { elements: u64, contents: Option<Contents<'a>> },
}

/// What a launch gives, as far as the analysis cares. Bindings are in the signature's order.
#[derive(Debug, Clone)]
pub(crate) struct Arguments<'a> {
    pub(crate) grid: [u32; 3],
    pub(crate) bindings: Vec<Argument<'a>>,
}
