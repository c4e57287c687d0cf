//! The elements that the invocations of a chunk really touch, for tests of inferred footprints.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::AtomicBool;

use super::interpreter::{self, Halt, Machine, Probe, Touch};
use crate::device::Chunk;
use crate::error::{Error, Result};
use crate::kernel::{BindingId, Layout, isolated};

/// The accesses to one storage binding. Ranges are in elements of the binding's `Layout`, sorted and disjoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Touched {
    /// Read, or updated atomically.
    pub(crate) read: Vec<Range<u64>>,
    /// Written or updated atomically, at least in part.
    pub(crate) written: Vec<Range<u64>>,
    /// Read before the chunk had written all bytes of the read.
    pub(crate) read_before_written: Vec<Range<u64>>,
    /// Elements of which every byte except padding was written.
    pub(crate) overwritten: Vec<Range<u64>>,
    pub(crate) reads_header: bool,
    pub(crate) writes_header: bool,
}

/// Runs a chunk on one thread, one batch after the other, and returns its accesses: one entry for each binding
/// of the signature, empty for bindings that are not storage.
pub(crate) fn touched(chunk: &Chunk<'_>, subgroup_size: u32) -> Result<Vec<Touched>> {
    let program =
        isolated("cpu::touched (compiling)", || interpreter::compile(chunk.kernel, subgroup_size))?;
    let stop = AtomicBool::new(false);
    let launch = interpreter::launch(&program, chunk, &stop);
    let mut recorder = Recorder {
        bindings: chunk
            .kernel
            .signature()
            .bindings
            .iter()
            .map(|binding| (binding.layout.clone(), Record::default()))
            .collect(),
    };
    let mut machine = Machine::new(&launch);
    let total = chunk.groups.workgroups() as u64;
    let mut start = 0;
    while start < total {
        if let Err(Halt::EndlessLoop(span)) = machine.batch(&launch, start, total, &mut recorder) {
            let at = chunk.kernel.source().render(span);
            return Err(Error::EndlessLoop { budget: chunk.loop_budget, device: None, at });
        }
        start += interpreter::batch_size(&program);
    }
    Ok(recorder.bindings.iter().map(|(layout, record)| record.summary(layout)).collect())
}

/// The half words of one binding that were accessed, by kind of access. `early` is `read_before_written`.
#[derive(Default)]
struct Record {
    read: BTreeSet<u64>,
    written: BTreeSet<u64>,
    early: BTreeSet<u64>,
}

struct Recorder {
    bindings: Vec<(Layout, Record)>,
}

impl Probe for Recorder {
    const LISTENS: bool = true;

    fn touch(&mut self, binding: BindingId, offset: u64, bytes: u32, _: usize, touch: Touch) {
        let record = &mut self.bindings[binding].1;
        for half in offset / 2..(offset + u64::from(bytes)) / 2 {
            if touch != Touch::Write {
                record.read.insert(half);
                if !record.written.contains(&half) {
                    record.early.insert(half);
                }
            }
            if touch != Touch::Read {
                record.written.insert(half);
            }
        }
    }
}

impl Record {
    fn summary(&self, layout: &Layout) -> Touched {
        let header = layout.header / 2;
        let elements = |halves: &BTreeSet<u64>| {
            let mut ranges: Vec<Range<u64>> = Vec::new();
            for half in halves.range(header..) {
                let element = (half - header) * 2 / layout.stride.max(1);
                match ranges.last_mut() {
                    Some(last) if element < last.end => {}
                    Some(last) if element == last.end => last.end += 1,
                    _ => ranges.push(element..element + 1),
                }
            }
            ranges
        };
        let whole: BTreeSet<u64> = self
            .written
            .iter()
            .copied()
            .filter(|&half| half >= header)
            .filter(|&half| {
                let first = (half - header) * 2 / layout.stride * layout.stride / 2 + header;
                let size = layout.scalar.map_or(layout.element_size, |_| layout.stride);
                (first..first + size / 2).all(|half| self.written.contains(&half))
            })
            .collect();
        Touched {
            read: elements(&self.read),
            written: elements(&self.written),
            read_before_written: elements(&self.early),
            overwritten: elements(&whole),
            reads_header: self.read.range(..header).next().is_some(),
            writes_header: self.written.range(..header).next().is_some(),
        }
    }
}
