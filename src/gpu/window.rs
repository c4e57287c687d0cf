//! Where the bytes of a window lie, in host memory and in the device's buffer.
//!
//! The device's buffer holds the header, then the window's elements. Transfers on a device start at
//! multiples of 4 bytes and are multiples of 4 long, but elements may have 2 bytes. So an upload is
//! widened with the adjacent bytes, and of a download exactly its own bytes are written. The rows
//! of a box lie packed, one behind the other; each begins at a multiple of 4. Pure arithmetic, no
//! device.

use std::ops::Range;

use crate::device::HostBytes;
use crate::kernel::Layout;
use crate::pitch::Pitch;

/// Transfers on a device start and end at multiples of this.
pub(super) const ALIGN: u64 = 4;

/// A window of a buffer, and the buffer.
#[derive(Debug, Clone)]
pub(super) struct Extent {
    header: u64,
    stride: u64,
    /// Bytes of an element without the padding after it.
    element: u64,
    /// The window, in elements of the logical buffer.
    window: Range<u64>,
    /// The rows and columns of the window, if it is a box.
    pitch: Option<Pitch>,
}

impl Extent {
    pub(super) fn new(layout: &Layout, window: Range<u64>) -> Extent {
        Extent {
            header: layout.header,
            stride: layout.stride,
            element: layout.element_size.min(layout.stride),
            window,
            pitch: None,
        }
    }

    /// A window that is a box.
    pub(super) fn of_box(layout: &Layout, pitch: Pitch) -> Extent {
        Extent { pitch: Some(pitch), ..Extent::new(layout, 0..0) }
    }

    pub(super) fn pitch(&self) -> Option<&Pitch> {
        self.pitch.as_ref()
    }

    /// The position of an element in the window, counted in elements.
    fn position(&self, element: u64) -> u64 {
        match &self.pitch {
            Some(pitch) => pitch.position(element),
            None => element - self.window.start,
        }
    }

    /// Elements in the window.
    pub(super) fn len(&self) -> u64 {
        match &self.pitch {
            Some(pitch) => pitch.len(),
            None => self.window.end - self.window.start,
        }
    }

    /// Bytes on the device that hold the window, a multiple of 4 and never zero. An empty window
    /// has memory for one element.
    pub(super) fn bytes(&self) -> u64 {
        let elements = self.len().max(1).saturating_mul(self.stride);
        elements.saturating_add(self.header).max(16).div_ceil(ALIGN).saturating_mul(ALIGN)
    }

    /// The device's bytes of the header, widened.
    pub(super) fn header(&self) -> Range<u64> {
        0..self.header.next_multiple_of(ALIGN)
    }

    /// The device's bytes of some elements of the window and of all between them, widened. Empty for
    /// no elements.
    pub(super) fn elements(&self, elements: &Range<u64>) -> Range<u64> {
        if elements.is_empty() {
            return 0..0;
        }
        let start = self.header + self.position(elements.start) * self.stride;
        // Positions rise with the elements. The element at `end` may not have one.
        let end = self.header + (self.position(elements.end - 1) + 1) * self.stride;
        start / ALIGN * ALIGN..end.next_multiple_of(ALIGN)
    }

    /// The ranges of the device's buffer to upload, which do not overlap: the header, and some
    /// elements. Either may be empty.
    pub(super) fn uploads(&self, elements: &Range<u64>) -> [Range<u64>; 2] {
        let (header, elements) = (self.header(), self.elements(elements));
        if elements.start <= header.end && !elements.is_empty() {
            [0..0, 0..elements.end]
        } else {
            [header, elements]
        }
    }

    /// Fills `out` with the bytes of the device's buffer from byte `start` on. Bytes beyond the
    /// host's memory are zero.
    pub(super) fn gather(&self, host: HostBytes<'_>, start: u64, out: &mut [u8]) {
        let in_header = self.header.saturating_sub(start).min(out.len() as u64) as usize;
        let (header, elements) = out.split_at_mut(in_header);
        read_or_zero(host, start, header);
        let start = start + in_header as u64;
        let Some(pitch) = &self.pitch else {
            return read_or_zero(host, start + self.window.start * self.stride, elements);
        };
        let width = pitch.columns * self.stride;
        let (mut at, mut rest) = (start.saturating_sub(self.header), elements);
        while !rest.is_empty() && width > 0 {
            let (row, skipped) = (at / width, at % width);
            let (part, after) =
                rest.split_at_mut((width - skipped).min(rest.len() as u64) as usize);
            at += part.len() as u64;
            rest = after;
            let first = pitch.origin + (row * pitch.row) as i64;
            let from = first * self.stride as i64 + skipped as i64;
            // The box may begin before the buffer.
            let before = from.min(0).unsigned_abs().min(part.len() as u64) as usize;
            let (before, part) = part.split_at_mut(before);
            before.fill(0);
            read_or_zero(host, self.header + from.max(0) as u64, part);
        }
    }

    /// Writes the header to the host. `bytes` are the device's bytes of `self.header()`. Returns
    /// the bytes written.
    pub(super) fn scatter_header(&self, host: HostBytes<'_>, bytes: &[u8]) -> u64 {
        host.write(0, &bytes[..self.header as usize]);
        self.header
    }

    /// Writes consecutive elements to the host, without the padding after each. `bytes` are the
    /// device's bytes of `self.elements(elements)`. Returns the bytes written.
    pub(super) fn scatter(&self, host: HostBytes<'_>, elements: &Range<u64>, bytes: &[u8]) -> u64 {
        let first = self.header + self.position(elements.start) * self.stride;
        let bytes = &bytes[(first % ALIGN) as usize..];
        let at = (self.header + elements.start * self.stride) as usize;
        let count = elements.end - elements.start;
        if self.element == self.stride {
            let all = (count * self.stride) as usize;
            host.write(at, &bytes[..all]);
        } else {
            let (stride, element) = (self.stride as usize, self.element as usize);
            for i in 0..count as usize {
                host.write(at + i * stride, &bytes[i * stride..i * stride + element]);
            }
        }
        count * self.element
    }
}

fn read_or_zero(host: HostBytes<'_>, at: u64, out: &mut [u8]) {
    let there = (host.len() as u64).saturating_sub(at).min(out.len() as u64) as usize;
    let (present, beyond) = out.split_at_mut(there);
    if !present.is_empty() {
        host.read(at as usize, present);
    }
    beyond.fill(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(header: u64, stride: u64, element_size: u64) -> Layout {
        Layout { header, stride, element_size, count: None, scalar: None, element_name: "T".into() }
    }

    /// Host memory whose bytes are 0, 1, 2…
    fn counting(len: usize) -> Vec<u32> {
        let bytes: Vec<u8> = (0..len.next_multiple_of(4) as u8).collect();
        bytemuck::pod_collect_to_vec(&bytes)
    }

    #[test]
    fn a_half_word_window_goes_up_and_down_at_every_offset_without_touching_neighbours() {
        for header in [0, 2, 8] {
            for window in [0..1, 1..4, 2..7, 3..3, 5..9] {
                let extent = Extent::new(&layout(header, 2, 2), window.clone());
                for start in window.clone() {
                    for end in start..=window.end {
                        let mut words = counting(header as usize + 18);
                        let before: Vec<u8> = bytemuck::cast_slice(&words).to_vec();
                        let host = HostBytes::new(bytemuck::cast_slice_mut(&mut words));
                        let mut device = vec![0xCD; extent.bytes() as usize];
                        for range in extent.uploads(&(start..end)) {
                            assert!(range.start.is_multiple_of(4) && range.end.is_multiple_of(4));
                            extent.gather(
                                host,
                                range.start,
                                &mut device[range.start as usize..range.end as usize],
                            );
                        }
                        for element in start..end {
                            let on_device = (header + (element - window.start) * 2) as usize;
                            let on_host = (header + element * 2) as usize;
                            assert_eq!(
                                device[on_device..on_device + 2],
                                before[on_host..on_host + 2]
                            );
                        }
                        assert_eq!(device[..header as usize], before[..header as usize]);

                        device.fill(0xEE);
                        let down = extent.elements(&(start..end));
                        let part = &device[down.start as usize..down.end as usize];
                        if start < end {
                            assert_eq!(
                                extent.scatter(host, &(start..end), part),
                                (end - start) * 2
                            );
                        }
                        let mut after = vec![0; before.len()];
                        host.read(0, &mut after);
                        for (i, (byte, old)) in after.iter().zip(&before).enumerate() {
                            let at = i as u64;
                            let inside = (header + start * 2..header + end * 2).contains(&at);
                            assert_eq!(*byte, if inside { 0xEE } else { *old });
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn rows_of_a_box_go_up_packed_and_down_without_touching_other_columns() {
        for (stride, element, row, origin) in
            [(4, 4, 10, 23), (2, 2, 11, 12), (2, 2, 11, 13), (8, 6, 7, -2), (4, 4, 9, 8)]
        {
            let pitch = Pitch { row, origin, rows: 4, columns: 4 };
            let extent = Extent::of_box(&layout(0, stride, element), pitch.clone());
            assert_eq!((extent.len(), extent.bytes()), (16, 16 * stride));
            // The buffer ends in the last row.
            let elements = (origin + 3 * row as i64 + 2) as u64;
            let mut words = counting((elements * stride) as usize);
            let before: Vec<u8> = bytemuck::cast_slice(&words).to_vec();
            let host = HostBytes::new(bytemuck::cast_slice_mut(&mut words));
            let mut device = vec![0xCD; extent.bytes() as usize];
            // In pieces that begin anywhere.
            let pieces = [0..5, 5..6, 6..extent.bytes() as usize];
            for piece in pieces {
                extent.gather(host, piece.start as u64, &mut device[piece]);
            }
            let mut changed = Vec::new();
            for y in 0..4 {
                let first = origin + (y * row) as i64;
                let inside = (first..first + 4).filter(|e| (0..elements as i64).contains(e));
                let inside: Vec<u64> = inside.map(|element| element as u64).collect();
                for &e in &inside {
                    let (on_device, on_host) =
                        ((extent.position(e) * stride) as usize, (e * stride) as usize);
                    let len = stride as usize;
                    let expected = &before[on_host..on_host + len];
                    assert_eq!(&device[on_device..on_device + len], expected, "{pitch:?} {e}");
                }
                // All but the first that are there.
                let [_, second, .., last] = inside[..] else { continue };
                let run = second..last + 1;
                let down = extent.elements(&run);
                assert!(down.start.is_multiple_of(4) && down.end.is_multiple_of(4));
                let bytes = vec![0xEE; (down.end - down.start) as usize];
                let count = run.end - run.start;
                assert_eq!(extent.scatter(host, &run, &bytes), count * element);
                changed.extend(run);
            }
            let mut after = vec![0; before.len()];
            host.read(0, &mut after);
            for (i, (byte, old)) in after.iter().zip(&before).enumerate() {
                let (e, inside) = (i as u64 / stride, i as u64 % stride < element);
                let expected = if changed.contains(&e) && inside { 0xEE } else { *old };
                assert_eq!(*byte, expected, "{pitch:?} byte {i}");
            }
        }
    }

    #[test]
    fn padding_after_an_element_is_left_alone_and_may_be_missing_at_the_end() {
        let extent = Extent::new(&layout(0, 16, 12), 1..3);
        let mut words = vec![0u32; 11];
        let host = HostBytes::new(bytemuck::cast_slice_mut(&mut words));
        assert_eq!(extent.bytes(), 32);
        let mut device = vec![0xEE; 32];
        assert_eq!(extent.scatter(host, &(1..3), &device), 24);
        extent.gather(host, 0, &mut device);
        assert_eq!(device[28..], [0; 4]);
        let all_ones = u32::from_ne_bytes([0xEE; 4]);
        assert_eq!(words[..4], [0; 4]);
        assert_eq!(words[4..], [all_ones, all_ones, all_ones, 0, all_ones, all_ones, all_ones]);
    }

    #[test]
    fn an_empty_window_has_memory_and_the_header_goes_up_once() {
        let extent = Extent::new(&layout(32, 64, 64), 5..5);
        assert_eq!(extent.bytes(), 96);
        assert_eq!(extent.uploads(&(0..0)), [0..32, 0..0]);
        let extent = Extent::new(&layout(0, 4, 4), 0..0);
        assert_eq!(extent.bytes(), 16);
        assert_eq!(extent.uploads(&(0..0)), [0..0, 0..0]);
        let extent = Extent::new(&layout(8, 4, 4), 3..9);
        assert_eq!(extent.uploads(&(3..5)), [0..0, 0..16]);
        assert_eq!(extent.uploads(&(4..5)), [0..8, 12..16]);
    }
}
