//! The arguments of a launch, for the analysis: the grid, the values of uniforms, and the storage buffers.

use super::contents::Contents;

/// The argument for one binding, as far as the analysis needs it.
#[derive(Debug, Clone)]
pub(crate) enum Argument<'a> {
    /// The bytes of a uniform or an immediate.
    Value(&'a [u8]),
    /// A storage buffer of `elements` elements, with its contents if the host holds them and the kernel only
    /// reads them.
    Storage { elements: u64, contents: Option<Contents<'a>> },
}

/// The arguments of a launch, as far as the analysis needs them. Bindings are in the signature's order.
#[derive(Debug, Clone)]
pub(crate) struct Arguments<'a> {
    pub(crate) grid: [u32; 3],
    pub(crate) bindings: Vec<Argument<'a>>,
}
