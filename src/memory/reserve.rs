//! The buffers of one launch, reserved together.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gate::{Pass, queue_all};
use super::part::BufferRange;
use super::shared::Shared;
use crate::device::HostBytes;
use crate::error::Result;

/// Places in the queues of all buffers of a launch; leaves the queues when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    parts: Vec<(String, BufferRange, bool)>,
    passes: Vec<Pass>,
}

/// Queues for a launch's buffers, in one step. Each has the binding's name and whether the launch writes it.
pub(crate) fn reserve(parts: Vec<(String, BufferRange, bool)>) -> Reservation {
    let mut gates: BTreeMap<*const Shared, (Arc<Shared>, bool)> = BTreeMap::new();
    for (_, part, write) in &parts {
        let entry = gates
            .entry(Arc::as_ptr(&part.shared))
            .or_insert_with(|| (Arc::clone(&part.shared), false));
        entry.1 |= write;
    }
    let passes =
        queue_all(gates.into_values().map(|(shared, write)| (Arc::clone(&shared.gate), write)));
    Reservation { parts, passes }
}

impl Reservation {
    /// Waits for every pass, then hands out the bytes of each part, in the order given.
    ///
    /// # Errors
    /// `Error::Poisoned` if a buffer is poisoned. This includes a buffer that the launch overwrites as a whole
    /// and would heal: that is not known here.
    pub(crate) fn wait(&self) -> Result<Vec<HostBytes<'_>>> {
        self.passes.iter().for_each(Pass::wait);
        for (_, part, _) in self.parts.iter().filter(|(_, _, write)| *write) {
            part.shared.changes();
        }
        self.parts
            .iter()
            .map(|(_, part, _)| {
                part.shared.check_poison()?;
                // SAFETY: the passes are granted. The view's lifetime is tied to `self`, which holds
                // the passes and, through the parts, the memory.
                let all: HostBytes<'_> = unsafe { part.shared.view() };
                Ok(all.part(part.bytes.start as usize, part.len() as usize))
            })
            .collect()
    }

    /// Makes the host have all parts. Call it after `wait`.
    ///
    /// # Errors
    /// `Error::Poisoned` if bytes are lost.
    pub(crate) fn fetch(&self) -> Result<()> {
        self.parts.iter().try_for_each(|(_, part, _)| part.fetch(&(0..part.len()), &|_, _| {}))
    }

    /// Poisons every buffer that the launch may have begun to write.
    pub(crate) fn poison(&self, cause: &str) {
        for (name, part, write) in &self.parts {
            if *write {
                let cause = format!("{cause}. Write all of it before using it again");
                part.shared.set_poison(Some((name.clone(), cause)));
            }
        }
    }
}
