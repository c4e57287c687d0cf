//! The ways in which storage is touched.

/// How storage is touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Touch {
    Read,
    Write,
    /// A read-modify-write.
    Atomic,
}
