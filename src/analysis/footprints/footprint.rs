//! Footprints: the elements of a binding that some workgroups touch.

use std::ops::Range;

use naga::Span;

use crate::region::Region;

/// The elements of one storage binding that some workgroups touch, in elements of the binding's
/// `Layout`, inside `0..elements`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Footprint {
    /// Elements that may be read (over-approximated). Atomic updates count as reads and as writes.
    pub(crate) read: Region,
    /// Elements that may be written (over-approximated).
    pub(crate) may_write: Region,
    /// The same for only the members that are both stored to and read, if the members of the binding are used
    /// differently.
    pub(crate) exchanged: Exchanged,
    /// Elements of which every byte is surely written (under-approximated), and not read before by these
    /// workgroups. They lie inside `may_write`; `0..0` if there are none.
    pub(crate) must_write: Range<u64>,
    /// The header (see `Layout`) may be written. A read of the header is always assumed.
    pub(crate) writes_header: bool,
    /// Indices into this or other bindings were bounded by this binding's contents on the host: the footprints
    /// hold for this version of its contents only.
    pub(crate) consulted: bool,
    /// The access whose index could not be bounded, if that widened a range to the whole buffer. The plan shows
    /// it.
    pub(crate) unbounded: Option<Span>,
    /// Elements beyond the buffer's ends that are surely touched.
    pub(crate) outside: Outside,
}

/// The elements furthest beyond a buffer's ends that are surely read, and surely written (under-approximated).
/// Such a read gives zero, and such a write does nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Outside {
    pub(crate) read: Option<i64>,
    pub(crate) written: Option<i64>,
}

impl Outside {
    /// The union of both, for a buffer of `elements` elements.
    pub(crate) fn and(self, other: Outside, elements: u64) -> Outside {
        let far = |&at: &i64| {
            if at < 0 { i128::from(at).abs() } else { i128::from(at) - i128::from(elements) }
        };
        let further = |a: Option<i64>, b: Option<i64>| a.into_iter().chain(b).max_by_key(far);
        Outside {
            read: further(self.read, other.read),
            written: further(self.written, other.written),
        }
    }
}

/// The elements in which members that are both stored to and read are accessed (over-approximated).
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Exchanged {
    pub(crate) read: Region,
    pub(crate) may_write: Region,
    /// Such a member of the header may be written.
    pub(crate) writes_header: bool,
}
