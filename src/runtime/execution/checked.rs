//! A checked launch: the caller's arguments, and the devices at the time of the check.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::resources::Resources;
use super::tolerance::Verification;
use crate::analysis::{Argument, Arguments};
use crate::device::HostBytes;
use crate::kernel::{Binding, Kernel, Space};
use crate::memory::BufferRange;
use crate::plan::Wishes;
use crate::runtime::fleet::Member;

/// A launch whose arguments are valid.
pub(crate) struct Checked {
    pub(crate) resources: Arc<Resources>,
    pub(crate) devices: Vec<Member>,
    pub(crate) kernel: Kernel,
    pub(crate) grid: [u32; 3],
    /// By binding; `None` for values.
    pub(crate) buffers: Vec<Option<BufferRange>>,
    /// By binding; empty for buffers.
    pub(crate) values: Vec<Vec<u8>>,
    pub(crate) wishes: Wishes,
    pub(crate) loop_budget: u64,
    pub(crate) transactional: bool,
    pub(crate) verification: Verification,
}

impl Checked {
    /// The number of workgroups in the grid.
    pub(crate) fn workgroups(&self) -> u64 {
        self.grid.iter().fold(1, |all, &count| all.saturating_mul(u64::from(count)))
    }

    /// Whether the buffers' contents from before the launch are kept until its end.
    pub(crate) fn keeps_before(&self) -> bool {
        self.transactional || self.verification.fraction > 0.0
    }

    /// The launch's buffers: name, part, whether it writes.
    pub(crate) fn reservations(&self) -> Vec<(String, BufferRange, bool)> {
        let bindings = &self.kernel.signature().bindings;
        self.buffers
            .iter()
            .zip(bindings)
            .filter_map(|(buffer, binding)| {
                let write = binding.space == Space::StorageWrite;
                Some((binding.name.clone(), buffer.clone()?, write))
            })
            .collect()
    }

    /// The granted memory by binding.
    pub(crate) fn memory<'a>(&self, views: Vec<HostBytes<'a>>) -> Vec<HostBytes<'a>> {
        let mut views = views.into_iter();
        self.buffers
            .iter()
            .map(|buffer| {
                buffer.as_ref().and_then(|_| views.next()).unwrap_or_else(HostBytes::empty)
            })
            .collect()
    }

    /// The arguments for the analysis. `blind` withholds the contents of all buffers. `absent` is set when
    /// the analysis looks for contents that are withheld or that the host does not have.
    pub(crate) fn arguments<'a>(
        &'a self,
        memory: &[HostBytes<'a>],
        absent: &'a AtomicBool,
        blind: bool,
    ) -> Arguments<'a> {
        let bindings = self.kernel.signature().bindings.iter();
        let bindings = bindings
            .zip(memory)
            .zip(&self.values)
            .zip(&self.buffers)
            .map(|(((binding, memory), value), buffer)| match binding.space {
                Space::Uniform | Space::Immediate => Argument::Value(value),
                space => Argument::Storage {
                    elements: binding.layout.elements(memory.len() as u64),
                    contents: match buffer {
                        Some(buffer) if space == Space::StorageRead => {
                            let mut contents = buffer.contents(*memory);
                            contents.absent = (blind || !buffer.on_host()).then_some(absent);
                            Some(contents)
                        }
                        _ => None,
                    },
                },
            })
            .collect();
        Arguments { grid: self.grid, bindings }
    }

    /// The storage bindings with their buffers.
    pub(super) fn storage(&self) -> impl Iterator<Item = (usize, &Binding, &BufferRange)> {
        let bindings = self.kernel.signature().bindings.iter();
        let both = bindings.zip(&self.buffers).enumerate();
        both.filter_map(|(id, (binding, buffer))| Some((id, binding, buffer.as_ref()?)))
    }
}
