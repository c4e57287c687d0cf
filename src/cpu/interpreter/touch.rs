//! The kinds of accesses to memory.

/// The kind of an access to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Touch {
    Read,
    Write,
    /// A read-modify-write.
    Atomic,
}
