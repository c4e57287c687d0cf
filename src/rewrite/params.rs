//! The per-chunk block: the words that a kernel needs, and their bytes for one chunk.
//!
//! The block is a struct of u32 words, so it has the same layout as an immediate and as a uniform,
//! and a user's own `var<immediate>` of any type fits in as its raw words. A kernel has only the
//! words that it uses, because immediates are scarce (128 bytes on many devices).

use crate::kernel::BindingId;
use crate::pitch::Pitch;

/// The part of a storage buffer that a chunk provides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Window {
    /// The first element of the window.
    pub(crate) first: u32,
    /// The number of elements that the kernel may access. It may be zero; one element of memory is
    /// bound even then.
    pub(crate) len: u32,
    /// The number of elements of the logical buffer: the result of `arrayLength`.
    pub(crate) elements: u32,
    /// The box, if the module was made for one. `first` and `len` are ignored then.
    pub(crate) pitch: Option<Pitch>,
}

/// The values of one dispatch's block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunkParams<'a> {
    /// The first workgroup of this dispatch.
    pub(crate) first: [u32; 3],
    /// Workgroups of the whole launch.
    pub(crate) grid: [u32; 3],
    /// By `BindingId`; used only for windowable storage bindings.
    pub(crate) windows: &'a [Window],
    /// The bytes of the user's own `var<immediate>`, if the kernel has one.
    pub(crate) immediate: Option<&'a [u8]>,
    /// Iterations that one invocation may make in loops that are not proved finite.
    pub(crate) loop_budget: u32,
}

/// One word of the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// The first workgroup along an axis.
    First(usize),
    /// Workgroups of the launch along an axis.
    Grid(usize),
    /// The first element of a binding's window.
    WindowFirst(BindingId),
    /// The number of elements in a binding's window.
    WindowLen(BindingId),
    /// The number of elements in a binding's window that an i32 can index. A negative index has the
    /// bits of a large one, which must not find an element in a buffer of more than 2³¹.
    WindowSignedLen(BindingId),
    /// The number of elements of a logical buffer.
    Elements(BindingId),
    /// For a window that is a box: the elements of a row of the buffer.
    Row(BindingId),
    /// The element in the box's first row and column; it wraps if that lies before the buffer.
    Origin(BindingId),
    /// The rows of the box.
    Rows(BindingId),
    /// The columns of the box.
    Columns(BindingId),
    /// The elements of the logical buffer that an i32 can index.
    SignedElements(BindingId),
    /// The loop budget.
    Budget,
    /// The iterations of a probe (`budget::Probe`). No compiler may know their number, so they are a
    /// word.
    Turns,
    /// A word of the user's own immediate.
    User(u32),
}

/// The place of the block and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParamLayout {
    pub(super) immediate: bool,
    pub(super) words: Vec<Word>,
}

impl ParamLayout {
    /// Whether the block is the module's `var<immediate>`. If not, it is bound at `Slot::Params`,
    /// unless it has no bytes: then there is neither.
    pub(crate) fn is_immediate(&self) -> bool {
        self.immediate
    }

    /// The size of the block: a multiple of 4 for an immediate, of 16 for a uniform. Zero for a
    /// kernel that needs no block.
    pub(crate) fn bytes(&self) -> u32 {
        let words = self.words.len() as u32;
        if self.immediate { words * 4 } else { words.next_multiple_of(4) * 4 }
    }

    /// The block of one dispatch, [`ParamLayout::bytes`] bytes, in the byte order of GPUs. A
    /// missing window or part of the user's immediate is zero.
    pub(crate) fn encode(&self, params: &ChunkParams<'_>) -> Vec<u8> {
        let window = |id: BindingId| params.windows.get(id);
        // A missing box is empty.
        let pitch = |id: BindingId, of: fn(&Pitch) -> u64| {
            let pitch = window(id).and_then(|window| window.pitch.as_ref());
            pitch.map_or(0, |pitch| u32::try_from(of(pitch)).unwrap_or(u32::MAX))
        };
        let mut bytes = Vec::with_capacity(self.bytes() as usize);
        for word in &self.words {
            let value = match *word {
                Word::First(axis) => params.first[axis],
                Word::Grid(axis) => params.grid[axis],
                Word::WindowFirst(id) => window(id).map_or(0, |w| w.first),
                Word::WindowLen(id) => window(id).map_or(0, |w| w.len),
                Word::WindowSignedLen(id) => {
                    window(id).map_or(0, |w| w.len.min((1u32 << 31).saturating_sub(w.first)))
                }
                Word::Elements(id) => window(id).map_or(0, |w| w.elements),
                Word::Row(id) => pitch(id, |pitch| pitch.row).max(1),
                Word::Origin(id) => {
                    let pitch = window(id).and_then(|window| window.pitch.as_ref());
                    pitch.map_or(0, |pitch| pitch.origin as u32)
                }
                Word::Rows(id) => pitch(id, |pitch| pitch.rows),
                Word::Columns(id) => pitch(id, |pitch| pitch.columns),
                Word::SignedElements(id) => window(id).map_or(0, |w| w.elements.min(1 << 31)),
                Word::Budget => params.loop_budget,
                Word::Turns => super::budget::PROBE_TURNS,
                Word::User(word) => {
                    let at = word as usize * 4;
                    let mut raw = [0; 4];
                    let given = params.immediate.and_then(|user| user.get(at..)).unwrap_or(&[]);
                    let count = given.len().min(4);
                    raw[..count].copy_from_slice(&given[..count]);
                    u32::from_le_bytes(raw)
                }
            };
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        bytes.resize(self.bytes() as usize, 0);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_index_finds_no_element_from_the_two_billionth_on() {
        let layout = ParamLayout { immediate: true, words: vec![Word::WindowSignedLen(0)] };
        for (first, len, signed) in [
            (0, 10, 10),
            (0, u32::MAX, 1 << 31),
            ((1 << 31) - 3, 10, 3),
            (1 << 31, 10, 0),
            (u32::MAX - 10, 10, 0),
        ] {
            let params = ChunkParams {
                first: [0; 3],
                grid: [1; 3],
                windows: &[Window { first, len, elements: u32::MAX, pitch: None }],
                immediate: None,
                loop_budget: 0,
            };
            assert_eq!(layout.encode(&params), u32::to_le_bytes(signed));
        }
    }

    #[test]
    fn a_block_holds_its_words_in_order_and_is_padded_as_a_uniform() {
        let words = vec![
            Word::First(1),
            Word::Grid(2),
            Word::WindowFirst(1),
            Word::WindowLen(1),
            Word::Elements(0),
            Word::User(1),
            Word::Budget,
        ];
        let params = ChunkParams {
            first: [1, 2, 3],
            grid: [4, 5, 6],
            windows: &[
                Window { first: 10, len: 11, elements: 12, pitch: None },
                Window { first: 20, len: 21, elements: 22, pitch: None },
            ],
            immediate: Some(&[0, 0, 0, 0, 7, 1]),
            loop_budget: 9,
        };
        let expected: Vec<u8> =
            [2u32, 6, 20, 21, 12, 7 + 256, 9].iter().flat_map(|w| w.to_le_bytes()).collect();
        let immediate = ParamLayout { immediate: true, words: words.clone() };
        assert_eq!(immediate.bytes(), 28);
        assert_eq!(immediate.encode(&params), expected);
        let uniform = ParamLayout { immediate: false, words };
        assert_eq!(uniform.bytes(), 32);
        assert_eq!(uniform.encode(&params)[..28], expected);
        assert_eq!(uniform.encode(&params)[28..], [0; 4]);
    }
}
