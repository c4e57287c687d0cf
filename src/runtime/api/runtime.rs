//! The runtime that owns the devices, and its builder.
//!
//! The builder opens the devices that the caller chose. The runtime keeps them and all else that launches
//! share (`Resources`). Launches and sequences begin with it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::launch::Launch;
use super::prepare::{Prepared, prepare};
use super::sequence::Sequence;
use crate::device::{Device, DeviceInfo, Engine, Throttle};
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::runtime::execution::Resources;
use crate::runtime::fleet::select::{self, CpuChoice, Selection};
use crate::runtime::fleet::{Faults, Quarantined};
use crate::runtime::history::Memo;

/// The devices that launches run on. Cheap to clone; clones share the devices.
///
/// How fast devices ran kernels is kept between programs in a small file, `profiles.txt`, in the
/// user's cache directory: `coexec` in `$XDG_CACHE_HOME` or `~/.cache`, on macOS in
/// `~/Library/Caches`, on Windows in `%LOCALAPPDATA%`. All programs of a user share the file. It is
/// read at the first launch and written when the last clone of a runtime is dropped. The
/// environment variable `COEXEC_CACHE_DIR` names another directory; if empty, it turns the file
/// off. The file only affects how well the first launches are balanced.
///
/// ```
/// use coexec::{Buffer, Kernel, Runtime};
/// let rt = Runtime::builder().devices("cpu").build()?;
/// let kernel = Kernel::from_wgsl(
///     "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
///      @compute @workgroup_size(64)
///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] += id.x; }",
/// )?;
/// let data = Buffer::from_slice(&[10u32; 100]);
/// rt.launch(&kernel).bind("data", &data).invocations([100, 1, 1]).run()?;
/// assert_eq!(data.read(98..)?, [108, 109]);
/// # Ok::<(), coexec::Error>(())
/// ```
#[derive(Clone)]
pub struct Runtime {
    pub(in crate::runtime) resources: Arc<Resources>,
}

/// The default number of bytes of the launch log.
pub(crate) const LOG_MEMORY: u64 = 256 << 20;

impl Runtime {
    /// A runtime with the CPU and all hardware GPUs of the machine.
    ///
    /// ```
    /// let rt = coexec::Runtime::new()?;
    /// assert!(rt.devices().iter().any(|device| device.id == "cpu"));
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Device`] when the CPU's worker threads can't be started. A GPU that can't be
    /// opened is left out, with a `tracing` warning.
    pub fn new() -> Result<Runtime> {
        Runtime::builder().build()
    }

    /// A builder, to choose devices.
    ///
    /// ```
    /// let rt = coexec::Runtime::builder().devices("cpu").threads(2).build()?;
    /// assert_eq!(rt.devices().len(), 1);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }

    /// A runtime with a single device: an application's own wgpu device and queue. Its features and limits
    /// are used as they are.
    ///
    /// ```no_run
    /// # fn device_of_the_application() -> (wgpu::Device, wgpu::Queue) { unimplemented!() }
    /// let (device, queue) = device_of_the_application();
    /// let rt = coexec::Runtime::from_wgpu(device, queue)?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Device`] when the device was lost.
    #[cfg(feature = "gpu")]
    pub fn from_wgpu(device: wgpu::Device, queue: wgpu::Queue) -> Result<Runtime> {
        let device = crate::gpu::GpuDevice::from_wgpu(device, queue, "gpu0".to_owned())?;
        Ok(Runtime::of(vec![Arc::new(device)]))
    }

    #[cfg(any(feature = "gpu", test))]
    pub(crate) fn of(devices: Vec<Arc<dyn Device>>) -> Runtime {
        Runtime::with(devices, None, LOG_MEMORY, Memo::default())
    }

    pub(crate) fn with(
        devices: Vec<Arc<dyn Device>>,
        patience: Option<Duration>,
        log: u64,
        memo: Memo,
    ) -> Runtime {
        Runtime { resources: Arc::new(Resources::new(devices, patience, log, memo)) }
    }

    /// The devices, in the order in which reports list them.
    ///
    /// ```
    /// for device in coexec::Runtime::builder().devices("cpu").build()?.devices() {
    ///     println!("{}: {}", device.id, device.name);
    /// }
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn devices(&self) -> Vec<DeviceInfo> {
        self.resources.fleet.infos()
    }

    /// The quarantined devices: lost, hung, panicked, or found to compute wrong results. They may not
    /// recover, so launches do not use them.
    ///
    /// ```
    /// let rt = coexec::Runtime::builder().devices("cpu").build()?;
    /// assert!(rt.quarantined().is_empty());
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn quarantined(&self) -> Vec<Quarantined> {
        self.resources.fleet.quarantined()
    }

    /// Opens quarantined devices again, and returns the result of each. Launches that run meanwhile go on
    /// without them. Bytes that only a lost device had, and that no other device could compute again, can be
    /// read once a device is back that can.
    ///
    /// ```
    /// let rt = coexec::Runtime::builder().devices("cpu").build()?;
    /// for (device, result) in rt.retry_quarantined() {
    ///     match result {
    ///         Ok(()) => println!("{device} is back"),
    ///         Err(error) => println!("{device}: {error}"),
    ///     }
    /// }
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// For each device: [`Error::Device`] when it still can't be opened.
    pub fn retry_quarantined(&self) -> Vec<(String, Result<()>)> {
        self.resources.fleet.retry()
    }

    /// Compiles a kernel on every device, so that its first launch need not. A device that can't run the
    /// kernel is reported here, whereas a launch runs without it.
    ///
    /// A launch may still compile more for its grid or its buffers: a program for the rest of a row
    /// of small workgroups, or code for windows that are boxes.
    ///
    /// ```
    /// use coexec::{Engine, Error, Kernel, Runtime};
    /// let rt = Runtime::builder().devices("cpu").cpu_engine(Engine::Cranelift).build()?;
    /// let kernel = Kernel::from_wgsl(
    ///     "@group(0) @binding(0) var<storage, read_write> data: array<f32>;
    ///      @compute @workgroup_size(64)
    ///      fn main(@builtin(global_invocation_id) id: vec3<u32>) { data[id.x] = sqrt(data[id.x]); }",
    /// )?;
    /// let prepared = rt.prepare(&kernel)?;
    /// assert_eq!((prepared[0].device.as_str(), prepared[0].engine), ("cpu", Some(Engine::Cranelift)));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// If no device can run the kernel: the device's own error if there is one device
    /// ([`Error::Unsupported`] from an engine that lacks something), else [`Error::NoDevice`] with
    /// all causes. If some can, [`Prepared::error`] has the errors of the others.
    pub fn prepare(&self, kernel: &Kernel) -> Result<Vec<Prepared>> {
        prepare(&self.resources, kernel)
    }

    /// Begins to describe a launch of a kernel.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]).run()?;
    /// assert_eq!(data.read(..1)?, [2]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn launch(&self, kernel: &Kernel) -> Launch {
        Launch::new(Arc::clone(&self.resources), kernel.clone())
    }

    /// Begins a sequence of launches. They run in order, or at the same time if the buffers that they share
    /// allow it.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let step = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// rt.sequence().then(step).run(10)?;
    /// assert_eq!(data.read(..1)?, [11]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn sequence(&self) -> Sequence {
        Sequence::new(Arc::clone(&self.resources))
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.resources.fmt(f)
    }
}

/// Builds a [`Runtime`]; made by [`Runtime::builder`].
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct RuntimeBuilder {
    devices: Option<String>,
    cpu: CpuChoice,
    throttles: Vec<(String, Throttle)>,
    faults: Option<String>,
    patience: Option<Duration>,
    /// Bytes, by the name of a device.
    budgets: Vec<(String, u64)>,
    log_memory: Option<u64>,
}

impl RuntimeBuilder {
    /// Selects the devices: `cpu`; `gpu` (all hardware GPUs, or the software adapters if there are none);
    /// `all` (the CPU and all adapters, also software ones); a list such as `cpu,gpu0`; or `virtual:3`, three
    /// logical devices of the first adapter, or of the CPU if there is no adapter. `virtual:3:gpu1` and
    /// `virtual:3:cpu` name the device.
    ///
    /// ```
    /// let two = coexec::Runtime::builder().devices("virtual:2:cpu").build()?;
    /// assert_eq!(two.devices().len(), 2);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn devices(mut self, selection: impl Into<String>) -> Self {
        self.devices = Some(selection.into());
        self
    }

    /// The engine that runs kernels on the CPU. [`Engine::Auto`], the default, is the engine that the
    /// environment variable `COEXEC_CPU_ENGINE` names, or else the fastest one that can run the kernel.
    ///
    /// ```
    /// use coexec::{Engine, Runtime};
    /// let rt = Runtime::builder().devices("cpu").cpu_engine(Engine::Interpreter).build()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn cpu_engine(mut self, engine: Engine) -> Self {
        self.cpu.engine = engine;
        self
    }

    /// The number of threads of the CPU's pool. The default is the number of cores.
    ///
    /// ```
    /// let rt = coexec::Runtime::builder().devices("cpu").threads(2).build()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn threads(mut self, threads: usize) -> Self {
        self.cpu.threads = Some(threads);
        self
    }

    /// The number of invocations of a subgroup on the CPU: 8, 16, 32 or 64. The default is the subgroup size
    /// of the GPUs in the runtime, if all have the same one and the CPU supports it, so that kernels with
    /// subgroups can be split. Otherwise it is 32.
    ///
    /// ```
    /// let rt = coexec::Runtime::builder().devices("cpu").subgroup_size(16).build()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn subgroup_size(mut self, size: u32) -> Self {
        self.cpu.subgroup_size = Some(size);
        self
    }

    /// The longest vectors that LLVM uses on the CPU, in bits: 128, 256 or 512. The default is the longest of
    /// the processor. Other numbers are an error of [`RuntimeBuilder::build`]. Short vectors serve to compare
    /// compilers: Cranelift's have 128 bits.
    ///
    /// ```
    /// let rt = coexec::Runtime::builder().devices("cpu").vector_bits(128).build()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn vector_bits(mut self, bits: u32) -> Self {
        self.cpu.vector_bits = Some(bits);
        self
    }

    /// Makes a device slower, for tests and measurements with unequal devices: everything takes `factor`
    /// times as long. The device sleeps for the rest of the time.
    ///
    /// ```
    /// let builder = coexec::Runtime::builder().devices("virtual:2:cpu");
    /// let rt = builder.throttle("cpu.1", 3.0).build()?; // two devices, 3 : 1
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn throttle(mut self, device: impl Into<String>, factor: f64) -> Self {
        let factor = if factor.is_finite() { factor.max(1.0) } else { 1.0 };
        self.throttles.push((device.into(), Throttle { factor, ..Throttle::NONE }));
        self
    }

    /// Gives a device a known speed, for tests: a chunk takes at least `workgroup` times its number of
    /// workgroups. Unlike with [`RuntimeBuilder::throttle`], other load of the machine has no effect, as long
    /// as the real device is faster.
    ///
    /// ```
    /// use std::time::Duration;
    /// let builder = coexec::Runtime::builder().devices("virtual:2:cpu");
    /// let rt = builder.pace("cpu.0", Duration::from_micros(20)).build()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn pace(mut self, device: impl Into<String>, workgroup: Duration) -> Self {
        self.throttles.push((device.into(), Throttle { workgroup, ..Throttle::NONE }));
        self
    }

    /// Makes a device's link slower, for tests: `delay` passes before each chunk.
    ///
    /// ```
    /// use std::time::Duration;
    /// let builder = coexec::Runtime::builder().devices("virtual:2:cpu");
    /// let rt = builder.delay("cpu.1", Duration::from_millis(1)).build()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn delay(mut self, device: impl Into<String>, delay: Duration) -> Self {
        self.throttles.push((device.into(), Throttle { delay, ..Throttle::NONE }));
        self
    }

    /// The least time of a chunk after which a GPU counts as hung. The default is half a minute, longer for
    /// chunks that are expected to take longer, and two minutes for the first.
    ///
    /// ```
    /// use std::time::Duration;
    /// let rt = coexec::Runtime::builder().devices("cpu").patience(Duration::from_secs(5)).build()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn patience(mut self, least: Duration) -> Self {
        self.patience = Some(least);
        self
    }

    /// Makes devices fail, for tests. `faults` is a list of `DEVICE:FAULT@N` (at the N-th chunk that the
    /// device gets, from 1), `DEVICE:FAULT@N+` (at that and all later ones) and `DEVICE:FAULT%PERCENT:SEED`
    /// (at random). DEVICE is an id or `*`. FAULT is `lost`, `lost-late` (while it computes), `destroy` (a
    /// GPU is really destroyed), `oom`, `reject` (the kernel), `hang`, `map`, `panic`, `panic-late`, `wrong`
    /// (a bit of the result) or `any` (any of these except `wrong`). The default is the value of the
    /// environment variable `COEXEC_INJECT`.
    ///
    /// ```
    #[doc = include_str!("../../example.txt")]
    /// let rt = Runtime::builder().devices("cpu").inject("cpu:oom@1").build()?;
    /// let launch = rt.launch(&kernel).bind("data", &data).workgroups([4, 1, 1]);
    /// let report = launch.run()?;
    /// println!("{}", report.events[0]); // the CPU was out of memory, and got smaller chunks
    /// assert_eq!(data.to_vec()?, [2; 256]);
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn inject(mut self, faults: impl Into<String>) -> Self {
        self.faults = Some(faults.into());
        self
    }

    /// The number of bytes that buffers may take on a GPU. The default is most of its memory. Data that does
    /// not fit is streamed through it. `gpu0` also names all its logical devices: `gpu0.0`, `gpu0.1`.
    ///
    /// ```
    /// let rt = coexec::Runtime::builder().devices("gpu").memory_budget("gpu0", 64 << 20).build();
    /// if let Err(error) = rt {
    ///     println!("no GPU here: {error}");
    /// }
    /// ```
    pub fn memory_budget(mut self, device: impl Into<String>, bytes: u64) -> Self {
        self.budgets.push((device.into(), bytes));
        self
    }

    /// The number of bytes of host memory that the launch log may keep. The default is 256 MiB. Results that
    /// only a lost device had are computed again from the log: see [`Buffer`](crate::Buffer). With 0 bytes,
    /// they are lost.
    ///
    /// ```
    /// let rt = coexec::Runtime::builder().devices("cpu").log_memory(16 << 20).build()?;
    /// # Ok::<(), coexec::Error>(())
    /// ```
    pub fn log_memory(mut self, bytes: u64) -> Self {
        self.log_memory = Some(bytes);
        self
    }

    /// Opens the devices.
    ///
    /// ```
    /// use coexec::{Error, Runtime};
    /// let rt = Runtime::builder().devices("cpu").build()?;
    /// let wrong = Runtime::builder().devices("cpu,abacus").build();
    /// assert!(matches!(wrong, Err(Error::NoSuchDevice { .. })));
    /// # Ok::<(), coexec::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchDevice`] if no device has a given name, [`Error::NoSuchEngine`] if the
    /// environment names an unknown engine, [`Error::InvalidFaultRule`] if a rule of
    /// [`inject`](Self::inject) is malformed, [`Error::Device`] when a named device can't be opened.
    pub fn build(self) -> Result<Runtime> {
        let selection = match &self.devices {
            None => Selection::Default,
            Some(text) => Selection::parse(text)?,
        };
        let mut devices = select::open(&selection, &self.cpu, &self.budgets)?;
        select::throttle(&mut devices, &self.throttles)?;
        if devices.is_empty() {
            return Err(Error::NoSuchDevice {
                name: "(any)".to_owned(),
                problem: "the selection has no device".to_owned(),
            });
        }
        let faults = self.faults.or_else(|| std::env::var("COEXEC_INJECT").ok());
        let faults = Faults::parse(&faults.unwrap_or_default())?;
        // Devices that fail or are slow on purpose must not change the kept profiles.
        let as_they_are = self.throttles.is_empty() && faults.is_empty();
        let memo = if as_they_are { Memo::default() } else { Memo::of_one_runtime() };
        let log = self.log_memory.unwrap_or(LOG_MEMORY);
        Ok(Runtime::with(faults.wrap(devices)?, self.patience, log, memo))
    }
}
