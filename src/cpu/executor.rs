//! The CPU behind the [`Device`] trait: distributes a chunk's workgroups to a pool of threads.
//!
//! Threads take batches of workgroups from a counter, in linear order, and each batch runs to its end. So a
//! workgroup that waits for one with a lower number waits for one that has started. The first error is returned
//! and stops the other threads. The pool is the device's own. A thread of a caller's rayon pool that waits here
//! takes up no other work of that pool, so a launch from inside a rayon job cannot deadlock.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::compiled;
use super::interpreter::{self, Halt, Machine};
use super::program::{self, Code, Program, panicked};
use super::widths::Widths;
use crate::device::Engine;
use crate::device::{
    Chosen, Chunk, ChunkCost, Device, DeviceInfo, DeviceKind, DeviceLimits, Running,
};
use crate::error::{Error, FailureKind, Result};
use crate::grid::GroupBox;
use crate::kernel::Kernel;

/// The subgroup sizes that the CPU supports.
pub(crate) const SUBGROUP_SIZES: [u32; 4] = [8, 16, 32, 64];

/// The options of a CPU device.
#[derive(Debug, Clone)]
pub(crate) struct CpuOptions {
    /// The name that `--devices` takes.
    pub(crate) id: String,
    /// Threads; `None` means one for each hardware thread.
    pub(crate) threads: Option<usize>,
    pub(crate) engine: Engine,
    /// One of [`SUBGROUP_SIZES`].
    pub(crate) subgroup_size: u32,
    /// 128, 256 or 512; `None` means the processor's own width.
    pub(crate) vector_bits: Option<u32>,
}

impl Default for CpuOptions {
    fn default() -> Self {
        CpuOptions {
            id: "cpu".to_owned(),
            threads: None,
            engine: Engine::Auto,
            subgroup_size: Widths::default().subgroup,
            vector_bits: None,
        }
    }
}

/// The machine's cores as one device.
#[derive(Debug)]
pub(crate) struct CpuDevice {
    info: DeviceInfo,
    pool: rayon::ThreadPool,
    widths: Widths,
    engine: Engine,
}

impl CpuDevice {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`Error::Device`] when the system gives no threads, or for a subgroup size that is not 8,
    /// 16, 32 or 64, or vectors of other than 128, 256 or 512 bits.
    pub(crate) fn new(mut options: CpuOptions) -> Result<CpuDevice> {
        options.engine = options.engine.or_forced()?;
        let failed = |doing: &str, cause: String| Error::Device {
            device: options.id.clone(),
            kind: FailureKind::Refused,
            doing: doing.to_owned(),
            cause,
        };
        if !SUBGROUP_SIZES.contains(&options.subgroup_size) {
            return Err(failed(
                "set its subgroup size",
                format!("{} is not one of 8, 16, 32 and 64", options.subgroup_size),
            ));
        }
        if let Some(bits) = options.vector_bits
            && ![128, 256, 512].contains(&bits)
        {
            return Err(failed(
                "set its vector length",
                format!("{bits} is not one of 128, 256 and 512"),
            ));
        }
        let available = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = options.threads.unwrap_or(available).max(1);
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("coexec-cpu-{index}"))
            .start_handler(|_| keep_denormals())
            .build()
            .map_err(|e| failed("start its threads", e.to_string()))?;
        let engine = program::describe(options.engine)
            .map_err(|cause| failed("use the requested engine", cause.to_owned()))?;
        let plural = if threads == 1 { "" } else { "s" };
        let info = DeviceInfo {
            id: options.id,
            name: format!("{}, {threads} thread{plural}", processor_name()),
            driver: engine,
            advice: program::advice(options.engine),
            kind: DeviceKind::Cpu,
            limits: DeviceLimits {
                max_binding: u64::MAX,
                memory: u64::MAX,
                max_storage_bindings: u32::MAX,
                max_uniform_bindings: u32::MAX,
                max_invocations: 1 << 16,
                max_workgroup_size: [1 << 16; 3],
                max_workgroup_memory: 1 << 24,
                f16: true,
                subgroup_size: Some((options.subgroup_size, options.subgroup_size)),
            },
        };
        let widths = Widths {
            subgroup: options.subgroup_size,
            vector: options.vector_bits,
            ..Widths::default()
        };
        Ok(CpuDevice { info, pool, widths, engine: options.engine })
    }

    /// The programs that run a chunk, each with its box. A kernel that packs several workgroups into one needs a
    /// second program for the remainder of each row.
    fn parts(&self, chunk: &Chunk<'_>) -> Result<Vec<(Arc<Program>, GroupBox)>> {
        // Each launch has compiled this program before.
        let program = self.program_for(chunk, self.widths)?;
        let mut whole = chunk.groups;
        let left = whole.count[0] % program.packed();
        whole.count[0] -= left;
        let mut rest = GroupBox { count: [left, whole.count[1], whole.count[2]], ..whole };
        rest.first[0] += whole.count[0];
        let mut parts = Vec::new();
        if whole.count[0] > 0 || left == 0 {
            parts.push((program, whole));
        }
        if left > 0 {
            let widths = Widths { pack: false, ..self.widths };
            parts.push((self.program_for(chunk, widths)?, rest));
        }
        Ok(parts)
    }

    /// The program for the chunk's bindings.
    fn program_for(&self, chunk: &Chunk<'_>, widths: Widths) -> Result<Arc<Program>> {
        if self.engine == Engine::Auto && !compiled::takes(chunk) {
            tracing::info!(
                kernel = chunk.kernel.signature().entry_point,
                "a buffer is too large for compiled code: the kernel goes to the interpreter"
            );
            return Program::of(chunk.kernel, Engine::Interpreter, widths);
        }
        self.program(chunk.kernel, widths)
    }

    /// The program for bindings that compiled code can address.
    fn program(&self, kernel: &Kernel, widths: Widths) -> Result<Arc<Program>> {
        let limits = &self.info.limits;
        let size = kernel.signature().workgroup_size;
        let invocations = size.iter().try_fold(1u32, |n, &extent| n.checked_mul(extent));
        if invocations.is_none_or(|n| n > limits.max_invocations) {
            return Err(Error::Unsupported {
                what: format!(
                    "a workgroup of {size:?} invocations (the CPU takes at most {})",
                    limits.max_invocations
                ),
                at: String::new(),
            });
        }
        Program::of(kernel, self.engine, widths)
    }

    fn run(&self, chunk: &Chunk<'_>) -> Result<ChunkCost> {
        // The remainder of a row of workgroups has a program of its own, which is compiled when it is first
        // needed. The time of that compilation is not measured.
        let parts = self.parts(chunk)?;
        let began = Instant::now();
        for (program, groups) in parts {
            self.run_part(chunk, &program, groups)?;
        }
        Ok(ChunkCost { busy: began.elapsed(), ..ChunkCost::default() })
    }

    fn run_part(&self, chunk: &Chunk<'_>, program: &Program, groups: GroupBox) -> Result<()> {
        let total = u64::try_from(groups.workgroups() / u128::from(program.packed()))
            .map_err(|_| Error::Grid("more than 2^64 workgroups on the CPU".to_owned()))?;
        if total == 0 {
            return Ok(());
        }
        let cancelled = || chunk.cancel.is_some_and(|cancel| cancel.is_set());
        if cancelled() {
            return Err(Error::Cancelled);
        }
        let mut work = Work {
            device: &self.info.id,
            program,
            chunk,
            groups,
            total,
            batch: 1,
            next: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            failure: Mutex::new(None),
            refusal: Mutex::new(None),
        };
        let threads = at_work(self.pool.current_num_threads(), chunk.spare) as u64;
        work.batch = work.batch_size(threads);
        let workers = total.div_ceil(work.batch).min(threads);
        // The calling thread is one of the workers: a small launch wakes no other thread.
        let deal = || {
            self.pool.in_place_scope(|scope| {
                for _ in 1..workers {
                    scope.spawn(|_| work.run());
                }
                with_denormals(|| work.run());
            });
        };
        if workers == 1 {
            with_denormals(|| work.run());
        } else if rayon::current_thread_index().is_some() {
            // A waiting thread of a rayon pool would take up other jobs of its pool, while it holds its caller's
            // locks. A plain thread only waits.
            std::thread::scope(|scope| {
                scope.spawn(deal);
            });
        } else {
            deal();
        }
        let begun = work.next.load(Ordering::Relaxed) > 0;
        let inner = |error: Mutex<_>| error.into_inner().unwrap_or_else(PoisonError::into_inner);
        match (inner(work.failure), inner(work.refusal)) {
            (Some(error), _) => Err(error),
            // No thread had the memory, and no batch was begun.
            (None, Some(error)) if !begun => Err(error),
            _ if cancelled() => Err(Error::Cancelled),
            _ => Ok(()),
        }
    }
}

/// The number of threads that compute a chunk: at least half of them, and at least one.
fn at_work(threads: usize, spare: usize) -> usize {
    threads - spare.min(threads / 2)
}

/// The state that the threads of one chunk share.
struct Work<'a> {
    device: &'a str,
    program: &'a Program,
    chunk: &'a Chunk<'a>,
    /// The part of the chunk.
    groups: GroupBox,
    /// Workgroups of the part. Those packed into one count as one.
    total: u64,
    /// Workgroups that a thread takes at a time.
    batch: u64,
    /// The first workgroup that no thread has taken, in linear order.
    next: AtomicU64,
    stop: AtomicBool,
    failure: Mutex<Option<Error>>,
    /// Why a thread could not take part. The others take its share.
    refusal: Mutex<Option<Error>>,
}

/// The intended duration of a call of compiled code. A thread checks for a stop between calls.
const CALL: Duration = Duration::from_millis(2);

impl Work<'_> {
    /// Takes and runs batches until there are none.
    fn run(&self) {
        let result = catch_unwind(AssertUnwindSafe(|| self.batches()));
        let bug = |panic: Box<dyn Any + Send>| Error::Device {
            device: self.device.to_owned(),
            kind: FailureKind::Panicked,
            doing: "run a chunk".to_owned(),
            cause: format!("{}", panicked("cpu::executor", &*panic)),
        };
        if let Err(error) = result.unwrap_or_else(|panic| Err(bug(panic))) {
            self.stop.store(true, Ordering::Relaxed);
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
    }

    /// The batch size: large enough to hide the cost of taking a batch, small enough for the threads to end
    /// together.
    fn batch_size(&self, threads: u64) -> u64 {
        match &self.program.code {
            Code::Interpreter(program) => interpreter::batch_size(program),
            Code::Llvm(_) | Code::Cranelift(_) => (self.total / (threads * 32)).clamp(1, 4096),
        }
    }

    fn batches(&self) -> Result<()> {
        match &self.program.code {
            Code::Interpreter(program) => self.interpret(program),
            Code::Llvm(program) | Code::Cranelift(program) => self.execute(program),
        }
    }

    /// The first workgroup of the next batch.
    fn take(&self) -> Option<u64> {
        if self.stopped() {
            return None;
        }
        let start = self.next.fetch_add(self.batch, Ordering::Relaxed);
        (start < self.total).then_some(start)
    }

    fn stopped(&self) -> bool {
        let cancelled = || self.chunk.cancel.is_some_and(|cancel| cancel.is_set());
        self.stop.load(Ordering::Relaxed) || cancelled()
    }

    fn interpret(&self, program: &interpreter::Program) -> Result<()> {
        let launch = interpreter::launch(program, self.chunk, &self.stop);
        let mut machine = Machine::new(&launch);
        while let Some(start) = self.take() {
            match machine.batch(&launch, start, self.total, &mut ()) {
                Ok(()) => {}
                Err(Halt::Stopped) => break,
                Err(Halt::EndlessLoop(span)) => {
                    return Err(Error::EndlessLoop {
                        budget: self.chunk.loop_budget,
                        device: None,
                        at: self.chunk.kernel.source().render(span),
                    });
                }
            }
        }
        Ok(())
    }

    fn execute(&self, program: &compiled::Program) -> Result<()> {
        let launch = compiled::Launch::new(program, self.chunk, self.groups)?;
        let mut scratch = match compiled::Scratch::new(program) {
            Ok(scratch) => scratch,
            Err(error) => {
                self.refusal.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                return Ok(());
            }
        };
        // The number of workgroups that take about `CALL`, found by doubling.
        let mut most = 1;
        while let Some(start) = self.take() {
            let end = self.total.min(start + self.batch);
            let mut next = start;
            while next < end && !self.stopped() {
                let (count, began) = (most.min(end - next), Instant::now());
                if let Err(span) = launch.run(next, count, &mut scratch) {
                    return Err(Error::EndlessLoop {
                        budget: self.chunk.loop_budget,
                        device: None,
                        at: self.chunk.kernel.source().render(span),
                    });
                }
                next += count;
                if count == most && began.elapsed() < CALL {
                    most = most.saturating_mul(2);
                }
            }
        }
        Ok(())
    }
}

/// A finished chunk: the CPU computes in `start`.
struct Done(Result<ChunkCost>);

impl Running for Done {
    fn finish(self: Box<Self>) -> Result<ChunkCost> {
        self.0
    }
}

impl Device for CpuDevice {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn prepare(&self, kernel: &Kernel) -> Result<()> {
        self.program(kernel, self.widths).map(|_| ())
    }

    fn engine(&self, kernel: &Kernel) -> Option<Chosen> {
        self.program(kernel, self.widths).ok().map(|program| program.chosen())
    }

    fn depth(&self) -> usize {
        1
    }

    fn in_place(&self) -> bool {
        true
    }

    fn start<'a>(&'a self, chunk: Chunk<'a>) -> Result<Box<dyn Running + 'a>> {
        Ok(Box::new(Done(self.run(&chunk))))
    }
}

/// Sets the thread's floating-point mode to the one that Rust assumes and kernels rely on: round to nearest
/// even, keep denormals. A thread inherits the mode of the thread that starts it, which may have changed it.
fn keep_denormals() {
    #[cfg(target_arch = "x86_64")]
    {
        let default = 0x1f80u32;
        // SAFETY: loads MXCSR's power-on value, in which Rust code may always run, from a live
        // variable; nothing else is touched.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &default, options(nostack, readonly)) };
    }
}

/// Calls `compute` in the floating-point mode of our threads, and restores the caller's mode.
fn with_denormals(compute: impl FnOnce()) {
    #[cfg(target_arch = "x86_64")]
    let callers = {
        let mut mode = 0u32;
        // SAFETY: stores MXCSR into a live variable; nothing else is touched.
        unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &mut mode, options(nostack)) };
        mode
    };
    keep_denormals();
    // `Work::run` catches every panic, so the mode is always restored.
    compute();
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: loads what was MXCSR's value before, from a live variable.
        unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &callers, options(nostack, readonly)) };
    }
}

/// The processor's name, as far as the system tells.
fn processor_name() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            let name = line.split_once(':')?.1.trim().to_owned();
            (!name.is_empty()).then_some(name)
        })
        .unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH))
}

#[cfg(test)]
mod tests {
    use super::at_work;

    #[test]
    fn cores_are_left_for_others_but_half_of_them_work() {
        let threads = [(8, 0), (8, 1), (8, 4), (8, 7), (3, 2), (2, 1), (1, 1)];
        let left: Vec<usize> = threads.iter().map(|&(n, spare)| at_work(n, spare)).collect();
        assert_eq!(left, [8, 7, 4, 4, 2, 1, 1]);
    }
}
