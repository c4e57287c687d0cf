//! The interface between devices, which run chunks of a kernel, and the rest of coexec.
//!
//! The two executors, `cpu` and `gpu`, implement [`Device`]; `runtime` is its only caller. A chunk
//! names the workgroups to compute and, for each storage binding, the elements that it may touch.
//! A device that works on a copy (a GPU) uploads `upload` into a window, and writes `write_back` to
//! host memory only when the chunk has succeeded. A device that works in place (the CPU) ignores
//! both. The planner decides whether chunks may run at the same time; `runtime` decides which
//! device runs a chunk and what follows from a failure.

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
    /// A GPU of a virtual machine, or one whose driver does not report its kind.
    OtherGpu,
    /// An adapter that computes on the CPU's cores, such as lavapipe.
    SoftwareGpu,
}

impl DeviceKind {
    /// Whether the device computes on the CPU's cores, so that running it beside the CPU adds
    /// nothing.
    ///
    /// ```
    /// use coexec::DeviceKind;
    /// assert!(DeviceKind::SoftwareGpu.shares_cpu_cores());
    /// assert!(!DeviceKind::DiscreteGpu.shares_cpu_cores());
    /// ```
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

/// The description of a device: its names, its kind and its limits.
#[derive(Debug, Clone)]
pub struct DeviceInfo {
    /// The name that [`RuntimeBuilder::devices`](crate::RuntimeBuilder::devices) and `--devices`
    /// take: `cpu`, `gpu0`, `gpu1`, `gpu0.1` for a second logical device on the first adapter.
    pub id: String,
    /// The product name, such as "AMD Ryzen …, 2 threads" or "llvmpipe (LLVM 15.0.6, 256 bits)".
    pub name: String,
    /// The driver and its version; for the CPU the engine that compiles kernels.
    pub driver: String,
    /// What the user can do to make the device faster, if coexec knows something.
    pub advice: Option<String>,
    /// The kind of device.
    pub kind: DeviceKind,
    /// The most that one chunk on this device may use.
    pub limits: DeviceLimits,
}

/// The most that one chunk on a device may use.
#[derive(Debug, Clone)]
pub struct DeviceLimits {
    /// The number of bytes of the largest storage binding. It bounds the part of a buffer that one
    /// chunk can touch.
    pub max_binding: u64,
    /// The number of bytes that coexec may hold on the device, all bindings together.
    pub memory: u64,
    /// The most storage bindings of one kernel.
    pub max_storage_bindings: u32,
    /// The most uniform bindings of one kernel.
    pub max_uniform_bindings: u32,
    /// The most invocations of one workgroup.
    pub max_invocations: u32,
    /// The most invocations of one workgroup along x, y and z.
    pub max_workgroup_size: [u32; 3],
    /// The most bytes of workgroup memory.
    pub max_workgroup_memory: u32,
    /// Whether the device runs kernels with `enable f16`.
    pub f16: bool,
    /// The smallest and the largest subgroup size in invocations; `None` without subgroups.
    pub subgroup_size: Option<(u32, u32)>,
}

/// One binding of a chunk, at the binding's position in the signature.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "gpu"), allow(dead_code, reason = "only copying devices read the ranges"))]
pub(crate) enum ChunkBinding<'a> {
    /// The bytes of a uniform or an immediate. The layout determines their number.
    Value(&'a [u8]),
    /// A storage buffer. The ranges are in elements of the binding's `Layout`. The header always
    /// belongs to the window.
    Storage {
        /// The whole logical buffer, header included.
        memory: HostBytes<'a>,
        /// The number of elements of the logical buffer: the result of `arrayLength`.
        elements: u64,
        /// All elements that the chunk may touch. A copying device needs no others.
        window: Range<u64>,
        /// The part of the window whose contents the chunk may depend on.
        upload: Range<u64>,
        /// The elements that the chunk may write. No other chunk in flight writes them in this memory,
        /// though the ranges around them may overlap, so a copying device writes back exactly these.
        write_back: Region,
        /// Whether the chunk may write the header. It is then written back too, and no other chunk in
        /// flight may touch it.
        write_header: bool,
        /// The box that a copying device uploads instead of the whole window, where the chunk touches
        /// no other elements. The box lies in the window, and the window in the range around the box.
        pitch: Option<Pitch>,
    },
}

/// The part of a launch that a device computes at a time.
#[derive(Debug, Clone)]
pub(crate) struct Chunk<'a> {
    pub(crate) kernel: &'a Kernel,
    /// The workgroups of the whole launch: the value of `num_workgroups`.
    pub(crate) grid: [u32; 3],
    /// The workgroups of this chunk.
    pub(crate) groups: GroupBox,
    /// One for each binding of the signature.
    pub(crate) bindings: Vec<ChunkBinding<'a>>,
    /// The iterations that one invocation may make in loops that are not proven to end.
    pub(crate) loop_budget: u64,
    /// The time limit from the chunk's start. A device that exceeds it fails with
    /// `FailureKind::Deadline`; a device that can't hang ignores it. With `None` the device's own
    /// limit holds.
    pub(crate) deadline: Option<Duration>,
    /// The cores that the CPU leaves to the threads that feed GPUs. It keeps at least half.
    pub(crate) spare: usize,
    /// The cancellation of the chunk. Once it is set, the device soon stops with
    /// `Error::Cancelled`. A device that works in place may have written a part of the results.
    pub(crate) cancel: Option<&'a Cancel<'a>>,
}

impl<'a> Chunk<'a> {
    /// A chunk without deadline, spare cores and cancellation.
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

/// The cancellation of a chunk: its own, or that of its whole launch.
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

    /// Whether the chunk or its launch is cancelled.
    pub(crate) fn is_set(&self) -> bool {
        self.chunk.load(Ordering::Relaxed) || self.job.is_cancelled()
    }

    /// Whether the whole launch is cancelled.
    pub(crate) fn launch_is_cancelled(&self) -> bool {
        self.job.is_cancelled()
    }

    /// Cancels this chunk, or with `false` resets the flag for the next chunk.
    pub(crate) fn call_off(&self, off: bool) {
        self.chunk.store(off, Ordering::Relaxed);
    }
}

/// The time and the transfers of a finished chunk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ChunkCost {
    /// The time from start to finish on the device. It excludes compilation by coexec, and the wait
    /// in the device's own queue where the device can measure it.
    pub(crate) busy: Duration,
    /// Bytes copied to the device.
    pub(crate) uploaded: u64,
    /// Bytes copied back.
    pub(crate) downloaded: u64,
    /// Whether `busy` may include compilation by the driver. `busy` is then no measure of the
    /// device's speed.
    pub(crate) compiled: bool,
}

/// A chunk that has been started.
pub(crate) trait Running {
    /// Waits for the chunk, and puts its writes into host memory. On an error a copying device leaves
    /// host memory unchanged.
    fn finish(self: Box<Self>) -> Result<ChunkCost>;
}

/// A device that runs chunks.
pub(crate) trait Device: Send + Sync {
    fn info(&self) -> &DeviceInfo;

    /// Compiles the kernel, and keeps the result for later chunks. The error says why the device
    /// can't run the kernel: a limit, a feature, a rejected pipeline.
    fn prepare(&self, kernel: &Kernel) -> Result<()>;

    /// The engine that runs this kernel, if the device has several.
    fn engine(&self, _kernel: &Kernel) -> Option<Chosen> {
        None
    }

    /// The number of chunks to keep in flight: 1 for a device that computes in `start` or works in
    /// place, 2 or more where transfers overlap with computing.
    fn depth(&self) -> usize;

    /// Whether the device computes in host memory. Such a device leaves a chunk half done when it
    /// panics or is cancelled. After any other failure, host memory is unchanged, as after every
    /// failure of other devices.
    fn in_place(&self) -> bool {
        false
    }

    /// Opens a device that failed again. `None` if the device works as it is.
    fn reopen(&self) -> Result<Option<Arc<dyn Device>>> {
        Ok(None)
    }

    /// Loses the device as a reset of its driver would, where that is possible.
    fn destroy(&self) {}

    /// Begins a chunk. The borrowed memory stays borrowed until `finish` returns.
    fn start<'a>(&'a self, chunk: Chunk<'a>) -> Result<Box<dyn Running + 'a>>;

    /// The device's own memory, if it can keep data from chunk to chunk.
    fn store(&self) -> Option<&dyn Store> {
        None
    }

    /// Begins a chunk some of whose bindings lie in blocks of this device's store. `held` has an
    /// entry for each binding, or is empty.
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

    /// Whether the device implements `run_many`.
    fn runs_many(&self) -> bool {
        false
    }

    /// Runs the chunks one after the other, and the whole list `times` times, without a wait in
    /// between. All storage bindings of the chunks lie in blocks of this device's store. `None` where
    /// the device does not implement this.
    fn run_many(
        &self,
        _chunks: &[(Chunk<'_>, Vec<Option<Held>>)],
        _times: u32,
    ) -> Option<Result<ChunkCost>> {
        None
    }
}
