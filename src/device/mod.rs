//! What a device is to the rest of coexec: something that runs chunks of a kernel.
//!
//! The two executors, `cpu` and `gpu`, implement [`Device`]; `runtime` is its only caller. A chunk
//! says which workgroups to compute and, for each storage binding, which elements the chunk may
//! touch. A device that works on a copy (a GPU) brings `window` in and `write_back` out, and only
//! when the chunk has succeeded; a device that works in place (the CPU) ignores both. What this
//! floor leaves to others: who gets which chunk, whether chunks may run at the same time, and
//! what happens after a failure.

mod engine;
mod host;

#[cfg_attr(not(feature = "gpu"), allow(dead_code, reason = "only GPUs have memory of their own"))]
mod store;

mod throttled;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) use engine::Chosen;
pub use engine::Engine;
pub(crate) use host::HostBytes;
pub(crate) use store::{Block, Fetch, Held, Store};
pub(crate) use throttled::{Throttle, Throttled};

use crate::error::{Error, Result};
use crate::grid::GroupBox;
use crate::kernel::Kernel;
use crate::pending::Job;
use crate::pitch::Pitch;
use crate::region::Region;

/// The kind of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeviceKind {
    /// The machine's own cores, through coexec's executor.
    Cpu,
    /// A GPU with its own memory.
    DiscreteGpu,
    /// A GPU that shares the CPU's memory.
    IntegratedGpu,
    /// A GPU of a virtual machine, or one whose kind the driver does not tell.
    OtherGpu,
    /// An adapter that computes on the CPU's cores, such as lavapipe.
    SoftwareGpu,
}

impl DeviceKind {
    /// Whether the device computes on the CPU's cores, so that running it beside the CPU adds
    /// nothing.
    pub fn shares_cpu_cores(self) -> bool {
        matches!(self, DeviceKind::Cpu | DeviceKind::SoftwareGpu)
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeviceKind::Cpu => "CPU",
            DeviceKind::DiscreteGpu => "discrete GPU",
            DeviceKind::IntegratedGpu => "integrated GPU",
            DeviceKind::OtherGpu => "GPU",
            DeviceKind::SoftwareGpu => "software GPU",
        })
    }
}

/// What a device is and what it can hold.
#[derive(Debug, Clone)]
pub struct DeviceInfo {
    /// The name that `--devices` takes: `cpu`, `gpu0`, `gpu1`, `gpu0.1` for a second logical
    /// device on the first adapter.
    pub id: String,
    /// The product: "AMD Ryzen …, 2 threads", "llvmpipe (LLVM 15.0.6, 256 bits)".
    pub name: String,
    /// The driver and its version; for the CPU the engine that compiles kernels.
    pub driver: String,
    /// What the user could do to make it faster; nothing where nothing is known.
    pub advice: Option<String>,
    /// What kind of device it is.
    pub kind: DeviceKind,
    /// What a chunk on this device may use.
    pub limits: DeviceLimits,
}

/// What one chunk on a device may use. Sizes are in bytes.
#[derive(Debug, Clone)]
pub struct DeviceLimits {
    /// The largest storage binding, hence the largest window.
    pub max_binding: u64,
    /// Memory that windows of all bindings together may take.
    pub memory: u64,
    /// Storage bindings of one kernel.
    pub max_storage_bindings: u32,
    /// Uniform bindings of one kernel.
    pub max_uniform_bindings: u32,
    /// Invocations of one workgroup.
    pub max_invocations: u32,
    /// Extent of a workgroup along x, y and z.
    pub max_workgroup_size: [u32; 3],
    /// Workgroup memory.
    pub max_workgroup_memory: u32,
    /// Whether `enable f16` works.
    pub f16: bool,
    /// The smallest and the largest subgroup size; nothing where subgroups do not work.
    pub subgroup_size: Option<(u32, u32)>,
}

/// One binding of a chunk, at the binding's position in the signature.
#[derive(Debug, Clone)]
#[cfg_attr(
    not(feature = "gpu"),
    allow(dead_code, reason = "only devices that copy look at the ranges")
)]
pub(crate) enum ChunkBinding<'a> {
    /// The bytes of a uniform or an immediate, as long as its layout says.
    Value(&'a [u8]),
    /// A storage buffer. The ranges are in elements of the binding's `Layout`; the header always
    /// belongs to the window.
    Storage {
        /// The whole logical buffer, header included.
        memory: HostBytes<'a>,
        /// Elements of the logical buffer, which is what `arrayLength` gives.
        elements: u64,
        /// Elements that the chunk may touch at all. A copying device needs no others.
        window: Range<u64>,
        /// Those of the window whose contents matter before the chunk starts.
        upload: Range<u64>,
        /// Those that the chunk may have written. No other chunk in flight has one of them, though
        /// the ranges around may overlap: a copying device changes these and no others.
        write_back: Region,
        /// Whether the chunk may have written the header, so that it has to come back too. No
        /// other chunk in flight may touch the header then.
        write_header: bool,
        /// The box of the window that a copying device brings instead of all of it, where the chunk
        /// touches nothing else of it. It lies in the window, and the window in the range around it.
        pitch: Option<Pitch>,
    },
}

/// Some workgroups of a launch, to be computed by one device.
#[derive(Debug, Clone)]
pub(crate) struct Chunk<'a> {
    pub(crate) kernel: &'a Kernel,
    /// Workgroups of the whole launch; what `num_workgroups` gives.
    pub(crate) grid: [u32; 3],
    /// Workgroups of this chunk.
    pub(crate) groups: GroupBox,
    /// One for each binding of the signature.
    pub(crate) bindings: Vec<ChunkBinding<'a>>,
    /// Iterations that one invocation may make in loops that are not known to end.
    pub(crate) loop_budget: u64,
    /// How long after its start the chunk may take. A device that is not done by then has failed,
    /// with `FailureKind::Deadline`, or it is one that can't hang. The device's own patience where
    /// there is none.
    pub(crate) deadline: Option<Duration>,
    /// Cores that a device which computes on the machine's own leaves for others, if it has more.
    pub(crate) spare: usize,
    /// Set when nobody wants the result any more. The device gives up soon after, with
    /// `Error::Cancelled`; one that works in place may have written some of it.
    pub(crate) cancel: Option<&'a Cancel<'a>>,
}

impl<'a> Chunk<'a> {
    /// A chunk that nobody calls off, for a device that does as it likes.
    pub(crate) fn new(
        kernel: &'a Kernel,
        grid: [u32; 3],
        groups: GroupBox,
        bindings: Vec<ChunkBinding<'a>>,
        loop_budget: u64,
    ) -> Chunk<'a> {
        let (deadline, spare, cancel) = (None, 0, None);
        Chunk { kernel, grid, groups, bindings, loop_budget, deadline, spare, cancel }
    }
}

/// Whether somebody still wants the result of a chunk.
#[derive(Debug)]
pub(crate) struct Cancel<'a> {
    job: &'a Job,
    chunk: AtomicBool,
}

impl<'a> Cancel<'a> {
    /// The cancellation of a chunk of the launch that `job` belongs to.
    pub(crate) fn new(job: &'a Job) -> Cancel<'a> {
        Cancel { job, chunk: AtomicBool::new(false) }
    }

    /// The job of the launch, or of the sequence of launches, that the chunk belongs to.
    #[cfg_attr(not(feature = "gpu"), allow(dead_code, reason = "only GPUs run many at once"))]
    pub(crate) fn job(&self) -> &'a Job {
        self.job
    }

    /// Whether the device may give up.
    pub(crate) fn is_set(&self) -> bool {
        self.chunk.load(Ordering::Relaxed) || self.job.is_cancelled()
    }

    /// Whether the whole launch is cancelled.
    pub(crate) fn launch_is_cancelled(&self) -> bool {
        self.job.is_cancelled()
    }

    /// Calls this chunk off, or takes that back for the next one.
    pub(crate) fn call_off(&self, off: bool) {
        self.chunk.store(off, Ordering::Relaxed);
    }
}

/// What a finished chunk cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ChunkCost {
    /// Time from start to finish on the device. It excludes compilation, and waits in the device's
    /// own queue where the device can tell.
    pub(crate) busy: Duration,
    /// Bytes copied to the device.
    pub(crate) uploaded: u64,
    /// Bytes copied back.
    pub(crate) downloaded: u64,
    /// Whether `busy` may include the time in which a driver compiled the kernel. `busy` then says
    /// nothing of the device's speed. Compilation by coexec itself is never part of `busy`.
    pub(crate) compiled: bool,
}

/// A chunk that has been started.
pub(crate) trait Running {
    /// Waits, and puts what the chunk wrote into host memory. On an error a copying device has
    /// changed nothing in host memory.
    fn finish(self: Box<Self>) -> Result<ChunkCost>;
}

/// Something that runs chunks.
pub(crate) trait Device: Send + Sync {
    fn info(&self) -> &DeviceInfo;

    /// Whether it can run this kernel, and if not, why: a limit, a feature, a rejected pipeline.
    /// Compiles, and keeps what it compiled for later chunks.
    fn prepare(&self, kernel: &Kernel) -> Result<()>;

    /// The engine that runs this kernel, if the device has several, and why not a faster one.
    fn engine(&self, _kernel: &Kernel) -> Option<Chosen> {
        None
    }

    /// How many chunks are worth having in flight: 1 for a device that computes in `start` or
    /// works in place, 2 or more where transfers overlap with computing.
    fn depth(&self) -> usize;

    /// Whether it computes in the host's memory. Such a device leaves a chunk half done when it
    /// panics or is cancelled; with any other failure it has changed nothing, as all others have.
    fn in_place(&self) -> bool {
        false
    }

    /// Makes a device that failed work again: opens it once more, or says with nothing that it is
    /// as good as before.
    fn reopen(&self) -> Result<Option<Arc<dyn Device>>> {
        Ok(None)
    }

    /// Loses the device as if its driver had been reset, where that can be done.
    fn destroy(&self) {}

    /// Begins a chunk. The borrowed memory stays borrowed until `finish` returns.
    fn start<'a>(&'a self, chunk: Chunk<'a>) -> Result<Box<dyn Running + 'a>>;

    /// Its own memory, if things can be kept there from chunk to chunk.
    fn store(&self) -> Option<&dyn Store> {
        None
    }

    /// Begins a chunk that finds some of its bindings in blocks of this device's store. `held` has
    /// an entry for each binding, or none at all.
    fn start_with<'a>(
        &'a self,
        chunk: Chunk<'a>,
        held: &[Option<Held>],
    ) -> Result<Box<dyn Running + 'a>> {
        if held.iter().any(Option::is_some) {
            return Err(Error::Internal {
                place: "device".to_owned(),
                cause: format!("{} has no store, and a block was bound", self.info().id),
            });
        }
        self.start(chunk)
    }

    /// Whether `run_many` works.
    fn runs_many(&self) -> bool {
        false
    }

    /// Runs chunks one after the other, and all of them so many times, without a wait in between.
    /// Each finds all its storage bindings in blocks of this device's store. Nothing where the
    /// device has no way to do this.
    fn run_many(
        &self,
        _chunks: &[(Chunk<'_>, Vec<Option<Held>>)],
        _times: u32,
    ) -> Option<Result<ChunkCost>> {
        None
    }
}
