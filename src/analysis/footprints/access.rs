//! Accesses to storage as a walk meets them.

use crate::analysis::domain::{Guards, IntType, Interval, Knowledge, Linear, Symbol};

/// The kind of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Read,
    Write,
    /// An atomic update: a read and a write.
    Update,
}

/// A store of a whole element that an invocation executes exactly if it meets the guards.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    pub(crate) binding: usize,
    /// The index of the element, as a mathematical integer over dimensions.
    pub(crate) index: Linear,
    pub(crate) guards: Guards,
    /// The range of each symbol of the index and the guards.
    pub(crate) dimensions: Vec<(Symbol, Interval)>,
}

/// An access to storage, with the knowledge of its path.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    pub(crate) binding: usize,
    pub(crate) target: Target,
    pub(crate) kind: Kind,
    /// Whether the access is to members that are both stored to and read, if members are used differently.
    pub(crate) exchanged: bool,
    pub(crate) known: Knowledge,
}

#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The fields before the array.
    Header,
    /// All elements.
    Everything,
    /// The element at an index.
    Element(IntType, Linear),
}
