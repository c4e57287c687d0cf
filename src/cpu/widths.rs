//! The requested widths of gangs and vectors.

/// The requested widths of gangs and vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Widths {
    /// Invocations of a subgroup.
    pub(super) subgroup: u32,
    /// Bits of the vectors that LLVM may use; `None` means the processor's full width.
    pub(super) vector: Option<u32>,
    /// Whether several small workgroups may be packed into one.
    pub(super) pack: bool,
}

impl Default for Widths {
    fn default() -> Self {
        Widths { subgroup: 32, vector: None, pack: true }
    }
}
