//! The resources that all launches of a runtime share.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::memories::Memories;
use crate::device::Device;
use crate::memory::Log;
use crate::runtime::fleet::Fleet;
use crate::runtime::history::Memo;

/// The devices of a runtime, their memories, the history, and the launch log.
pub(crate) struct Resources {
    pub(crate) fleet: Fleet,
    /// The least time before a GPU counts as hung.
    pub(crate) patience: Option<Duration>,
    pub(crate) memo: Memo,
    pub(crate) memories: Memories,
    pub(crate) log: Arc<Log>,
}

impl Resources {
    /// The resources of a new runtime. `log`: the most bytes that the launch log may keep.
    pub(crate) fn new(
        devices: Vec<Arc<dyn Device>>,
        patience: Option<Duration>,
        log: u64,
        memo: Memo,
    ) -> Resources {
        let (fleet, memories, log) = (Fleet::new(devices), Memories::default(), Log::new(log));
        Resources { fleet, patience, memo, memories, log }
    }
}

/// Shown as the runtime that owns them.
impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.fleet.infos().into_iter().map(|info| info.id).collect();
        f.debug_struct("Runtime").field("devices", &ids).finish_non_exhaustive()
    }
}
