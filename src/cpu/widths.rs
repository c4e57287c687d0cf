//! How wide gangs are, as far as that is asked for.

/// How wide gangs are, as far as that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Widths {
    /// Invocations of a subgroup.
    pub(super) subgroup: u32,
    /// Bits of the vectors that LLVM may use; all that the processor has where there is no number.
    pub(super) vector: Option<u32>,
    /// Whether small workgroups may be executed several at once.
    pub(super) pack: bool,
}

impl Default for Widths {
    fn default() -> Self {
        Widths { subgroup: 32, vector: None, pack: true }
    }
}
