//! Merges the results that chunks wrote to private copies of a buffer.
//!
//! A buffer is merged if the plan can't prove that its chunks write disjoint elements. It does not change
//! before the launch ends: each chunk works on its own copy, which starts as the launch's input. When a chunk
//! is done, the scalars whose bits differ between its copy and the buffer are kept as its changes. When all
//! chunks are done, the changes are applied in the order of the chunks. So if two chunks changed the same
//! scalar, the value of the higher chunk is kept, in whatever order they ran.
//!
//! Reductions combine the changes with the current value. In a struct, some members may be reductions and
//! others not. Padding is not compared, unless the type has too many scalars to list. A failed chunk leaves
//! no trace.

use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use crate::analysis::Reduction;
use crate::device::HostBytes;
use crate::kernel::{Binding, ScalarType};
use crate::plan::Merge;
use crate::region::Region;

/// The changes of one chunk in one buffer.
#[derive(Debug, Clone)]
pub(super) struct Changes {
    pub(super) binding: usize,
    /// The chunk's first band: the order of application.
    pub(super) first_band: u32,
    /// Byte offset of a scalar, and its new value or its contribution.
    scalars: Vec<(u64, u32)>,
}

/// Copies the header and a range of elements from a buffer.
pub(super) fn fill(
    copy: HostBytes<'_>,
    from: HostBytes<'_>,
    binding: &Binding,
    elements: &Range<u64>,
) {
    let layout = &binding.layout;
    let end = (layout.header + elements.end * layout.stride).min(from.len() as u64);
    let start = (layout.header + elements.start * layout.stride).min(end);
    let mut piece = [0; 8192];
    for range in [0..layout.header.min(from.len() as u64), start..end] {
        let mut at = range.start as usize;
        while at < range.end as usize {
            let piece = &mut piece[..8192.min(range.end as usize - at)];
            from.read(at, piece);
            copy.write(at, piece);
            at += piece.len();
        }
    }
}

/// Copies the elements of a region from a chunk's copy to the buffer.
pub(super) fn put_back(
    copy: HostBytes<'_>,
    buffer: HostBytes<'_>,
    binding: &Binding,
    region: &Region,
) {
    let layout = &binding.layout;
    let mut piece = [0; 8192];
    region.for_each_run(|elements| {
        let place = |element: u64| (layout.header + element * layout.stride) as usize;
        let (mut at, end) = (place(elements.start), place(elements.end).min(buffer.len()));
        while at < end {
            let piece = &mut piece[..8192.min(end - at)];
            copy.read(at, piece);
            buffer.write(at, piece);
            at += piece.len();
        }
    });
}

/// The places of scalars in a binding.
struct Scalars {
    header: u64,
    stride: u64,
    /// By half word of the header, and of an element. Empty if not all scalars are listed: whole words are
    /// compared then, padding included.
    header_table: Vec<Option<ScalarType>>,
    element_table: Vec<Option<ScalarType>>,
}

impl Scalars {
    fn of(binding: &Binding) -> Scalars {
        let table = |bytes: u64, scalars: &[(u64, ScalarType)]| {
            if !binding.scalars_are_listed() {
                return Vec::new();
            }
            let mut table = vec![None; (bytes / 2) as usize];
            for &(at, scalar) in scalars {
                if let Some(slot) = table.get_mut((at / 2) as usize) {
                    *slot = Some(scalar);
                }
            }
            table
        };
        let layout = &binding.layout;
        Scalars {
            header: layout.header,
            stride: layout.stride,
            header_table: table(layout.header, binding.header_scalars()),
            element_table: table(layout.stride, binding.element_scalars()),
        }
    }

    /// The scalar that begins at a byte offset of the binding, if one does.
    fn at(&self, offset: u64) -> Option<ScalarType> {
        let (table, inside) = match offset.checked_sub(self.header) {
            None => (&self.header_table, offset),
            Some(in_array) => (&self.element_table, in_array % self.stride),
        };
        if table.is_empty() {
            return inside.is_multiple_of(4).then_some(ScalarType::U32);
        }
        table[(inside / 2) as usize]
    }
}

/// The changes of a chunk: the differences between its copy and the buffer, in a range of elements and, if
/// `header`, in the header.
pub(super) fn changes(
    copy: HostBytes<'_>,
    buffer: HostBytes<'_>,
    binding: &Binding,
    merge: &Merge,
    (elements, header): (&Range<u64>, bool),
    (first_band, id): (u32, usize),
) -> Changes {
    let scalars = Scalars::of(binding);
    let layout = &binding.layout;
    let mut found = Vec::new();
    let in_header = if header { 0..layout.header } else { 0..0 };
    let in_array = layout.header + elements.start * layout.stride
        ..(layout.header + elements.end * layout.stride).min(buffer.len() as u64);
    let (old, new) = (buffer.words(), copy.words());
    for range in [in_header, in_array] {
        if range.is_empty() {
            continue;
        }
        for word in range.start / 4..range.end.div_ceil(4) {
            // Half a word at the end of the memory is in no word: its scalar is compared below.
            let differs = match (old.get(word as usize), new.get(word as usize)) {
                (Some(old), Some(new)) => old.load(Relaxed) != new.load(Relaxed),
                _ => true,
            };
            if !differs {
                continue;
            }
            for at in [word * 4, word * 4 + 2] {
                if !range.contains(&at) {
                    continue;
                }
                let Some(scalar) = scalars.at(at) else { continue };
                if at + scalar.size() > buffer.len() as u64 {
                    continue;
                }
                let (was, is) = (load(buffer, at, scalar), load(copy, at, scalar));
                if was != is {
                    found.push((at, contribution(merge.reduction(layout, at), was, is)));
                }
            }
        }
    }
    Changes { binding: id, first_band, scalars: found }
}

impl Changes {
    /// Gives each scalar: byte offset, new value or contribution, type.
    pub(super) fn for_each(&self, binding: &Binding, add: &mut impl FnMut(u64, u32, ScalarType)) {
        let scalars = Scalars::of(binding);
        for &(at, value) in &self.scalars {
            if let Some(scalar) = scalars.at(at) {
                add(at, value, scalar);
            }
        }
    }
}

/// Gives the scalars of the header or element that begins at `start`.
pub(super) fn scalars(
    memory: HostBytes<'_>,
    start: u64,
    list: &[(u64, ScalarType)],
    add: &mut impl FnMut(u64, u32, ScalarType),
) {
    for &(offset, scalar) in list {
        let at = start + offset;
        if at + scalar.size() <= memory.len() as u64 {
            add(at, load(memory, at, scalar), scalar);
        }
    }
}

pub(super) fn load(bytes: HostBytes<'_>, at: u64, scalar: ScalarType) -> u32 {
    match scalar.size() {
        2 => bytes.u16_at(at as usize).load(Relaxed).into(),
        _ => bytes.u32_at(at as usize).load(Relaxed),
    }
}

fn contribution(reduction: Option<Reduction>, was: u32, is: u32) -> u32 {
    match reduction {
        Some(Reduction::Sum) => is.wrapping_sub(was),
        Some(Reduction::Xor) => is ^ was,
        _ => is,
    }
}

/// Combines the value of a scalar in the buffer with a change.
fn combined(reduction: Option<Reduction>, scalar: ScalarType, there: u32, new: u32) -> u32 {
    let Some(reduction) = reduction else { return new };
    let signed = scalar == ScalarType::I32;
    match reduction {
        Reduction::Sum => there.wrapping_add(new),
        Reduction::Minimum if signed => (there as i32).min(new as i32) as u32,
        Reduction::Maximum if signed => (there as i32).max(new as i32) as u32,
        Reduction::Minimum => there.min(new),
        Reduction::Maximum => there.max(new),
        Reduction::And => there & new,
        Reduction::Or => there | new,
        Reduction::Xor => there ^ new,
    }
}

/// Applies the changes of all chunks to the buffers, in the order of the chunks.
pub(super) fn apply(
    mut all: Vec<Changes>,
    buffers: &[HostBytes<'_>],
    bindings: &[Binding],
    merges: &[Merge],
) {
    all.sort_by_key(|changes| changes.first_band);
    for changes in all {
        let id = changes.binding;
        let (buffer, scalars) = (buffers[id], Scalars::of(&bindings[id]));
        for (at, value) in changes.scalars {
            let Some(scalar) = scalars.at(at) else { continue };
            let reduction = merges[id].reduction(&bindings[id].layout, at);
            let value = combined(reduction, scalar, load(buffer, at, scalar), value);
            match scalar.size() {
                2 => buffer.u16_at(at as usize).store(value as u16, Relaxed),
                _ => buffer.u32_at(at as usize).store(value, Relaxed),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Kernel;
    use crate::plan::ByMember;

    /// Merges the results `chunks` for the input `input`, of a binding of type `ty`.
    fn merged(ty: &str, merge: Merge, input: &[u32], chunks: &[&[u32]]) -> Vec<u32> {
        let text = format!(
            "enable f16;
             struct Padded {{ a: vec3<u32>, b: vec3<u32> }}
             struct Headed {{ n: u32, list: array<u32> }}
             struct Cell {{ sum: u32, mass: u32 }}
             struct Cells {{ most: u32, last: u32, list: array<Cell> }}
             @group(0) @binding(0) var<storage, read_write> it: {ty};
             @compute @workgroup_size(1) fn main() {{ _ = arrayLength(&it{}); }}",
            if ty == "Headed" || ty == "Cells" { ".list" } else { "" }
        );
        let kernel = Kernel::from_wgsl(&text).unwrap_or_else(|e| panic!("{e}"));
        let bindings = &kernel.signature().bindings;
        let mut input = input.to_vec();
        let buffer = HostBytes::new(bytemuck::cast_slice_mut(&mut input));
        let elements = bindings[0].layout.elements(buffer.len() as u64);
        let mut all = Vec::new();
        // The last chunk ends first.
        for (band, chunk) in chunks.iter().enumerate().rev() {
            let mut chunk = chunk.to_vec();
            let copy = HostBytes::new(bytemuck::cast_slice_mut(&mut chunk));
            let range = (&(0..elements), true);
            all.push(changes(copy, buffer, &bindings[0], &merge, range, (band as u32, 0)));
        }
        apply(all, &[buffer], bindings, &[merge]);
        input
    }

    fn difference() -> Merge {
        Merge::Difference { why: String::new(), at: String::new() }
    }

    #[test]
    fn what_differs_is_taken_and_the_highest_chunk_wins() {
        let got = merged(
            "array<u32>",
            difference(),
            &[5, 5, 5, 5],
            &[&[6, 5, 7, 5], &[5, 5, 8, 5], &[5, 9, 5, 5]],
        );
        assert_eq!(got, [6, 9, 8, 5]);
    }

    #[test]
    fn halves_of_a_word_are_scalars_of_their_own() {
        let got = merged(
            "array<f16>",
            difference(),
            &[0x0001_0002, 0x0003_0004],
            &[&[0x0009_0002, 0x0003_0004], &[0x0001_0008, 0x0003_0007]],
        );
        assert_eq!(got, [0x0009_0008, 0x0003_0007]);
    }

    #[test]
    fn padding_is_left_alone_and_the_header_is_merged() {
        let got = merged("array<Padded>", difference(), &[1; 8], &[&[1, 2, 1, 99, 1, 1, 3, 99]]);
        assert_eq!(got, [1, 2, 1, 1, 1, 1, 3, 1]);
        let got = merged("Headed", difference(), &[1, 2, 3], &[&[7, 2, 3], &[1, 2, 9]]);
        assert_eq!(got, [7, 2, 9]);
    }

    #[test]
    fn members_come_together_each_in_its_own_way() {
        let by_member = ByMember {
            parts: Vec::new(),
            header: vec![(0, Reduction::Maximum)],
            element: vec![(0, Reduction::Sum)],
        };
        let merge = Merge::Members(by_member.into());
        let got = merged(
            "Cells",
            merge,
            &[5, 1, 10, 100, 20, 200],
            &[&[9, 1, 13, 101, 20, 200], &[7, 3, 11, 100, 19, 200], &[5, 1, 10, 102, 20, 203]],
        );
        assert_eq!(got, [9, 3, 14, 102, 19, 203]);
    }

    #[test]
    fn reductions_combine_with_what_is_there() {
        let all = |ty, reduction, input: u32, a: u32, b: u32| {
            merged(ty, Merge::Reduce(reduction), &[input], &[&[a], &[b]])[0]
        };
        let unsigned = "array<atomic<u32>>";
        // 10 + 5 and 10 - 3.
        assert_eq!(all(unsigned, Reduction::Sum, 10, 15, 7), 12);
        assert_eq!(all(unsigned, Reduction::Minimum, 10, 4, 10), 4);
        assert_eq!(all(unsigned, Reduction::Maximum, 10, u32::MAX, 11), u32::MAX);
        assert_eq!(all("array<atomic<i32>>", Reduction::Maximum, 10, 11, 12), 12);
        let minus = -5i32 as u32;
        assert_eq!(all("array<atomic<i32>>", Reduction::Minimum, 10, minus, 3), minus);
        assert_eq!(
            all("array<atomic<i32>>", Reduction::Maximum, minus, minus + 1, minus),
            minus + 1
        );
        assert_eq!(all(unsigned, Reduction::And, 0b1111, 0b1101, 0b0111), 0b0101);
        assert_eq!(all(unsigned, Reduction::Or, 0b1000, 0b1001, 0b1100), 0b1101);
        assert_eq!(all(unsigned, Reduction::Xor, 0b1000, 0b0001, 0b1010), 0b0011);
    }
}
