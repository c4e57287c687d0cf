//! What the launches of a runtime share: its devices, what is known of them, their memories, and the launch log.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::memories::Memories;
use crate::memory::Log;
use crate::runtime::fleet::Fleet;
use crate::runtime::history::Memo;

/// The devices of a runtime and what belongs to them.
pub(crate) struct Resources {
    pub(crate) fleet: Fleet,
    /// How long a chunk on a GPU may take at least, if the user says so.
    pub(crate) patience: Option<Duration>,
    pub(crate) memo: Memo,
    pub(crate) memories: Memories,
    pub(crate) log: Arc<Log>,
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.fleet.infos().into_iter().map(|info| info.id).collect();
        f.debug_struct("Runtime").field("devices", &ids).finish_non_exhaustive()
    }
}
