//! The CPU compiler against its peers: native code for the same job, and lavapipe running the same
//! WGSL. All run in one process. The contenders of a line take turns, and the best of several
//! runs counts, so that ratios are stable even where times are not.
//!
//!     cargo bench --bench cpu                     the whole table, some minutes
//!     cargo bench --bench cpu -- matmul saxpy     these kernels
//!     cargo bench --bench cpu -- --seconds 1      the time for each contender of a line
//!
//! Ratios are of rates: above 1, coexec is faster. An exclamation mark marks a missed target.

#[path = "../peers/gemm.rs"]
mod gemm;
#[cfg(feature = "gpu")]
mod lavapipe;
#[path = "../peers/mod.rs"]
mod peers;
#[path = "../../tests/conformance/reference.rs"]
mod reference;

use std::time::{Duration, Instant};

use coexec::{Buffer, Engine, Kernel, Runtime};
use reference::{CASES, Grid, Job};

/// A line of the table: a kernel, the size of its job, and its targets.
struct Line {
    kernel: &'static str,
    size: usize,
    /// The target against the native peer.
    peer: Option<f64>,
    /// The target against lavapipe; `None` where lavapipe takes too long.
    lavapipe: Option<f64>,
    /// Whether the kernel is memory-bound.
    memory: bool,
}

const fn line(kernel: &'static str, size: usize, peer: Option<f64>, lavapipe: Option<f64>) -> Line {
    Line { kernel, size, peer, lavapipe, memory: false }
}

const fn memory(mut line: Line) -> Line {
    line.memory = true;
    line
}

/// Cranelift's target against LLVM with vectors as short as Cranelift's.
const OF_SHORT_VECTORS: f64 = 0.7;
/// Cranelift's target against LLVM for memory-bound kernels.
const OF_LLVM_ON_MEMORY: f64 = 0.9;

/// The targets for compilation: the most milliseconds by which a first launch may exceed a second.
const COMPILING: [(&str, f64); 2] = [("llvm", 100.0), ("cranelift", 15.0)];

/// One way to run a kernel on the CPU.
#[derive(Debug, Clone, Copy)]
struct Contender {
    name: &'static str,
    engine: Engine,
    vector_bits: Option<u32>,
}

const CONTENDERS: [Contender; 3] = [
    Contender { name: "llvm", engine: Engine::Llvm, vector_bits: None },
    Contender { name: "cranelift", engine: Engine::Cranelift, vector_bits: None },
    Contender { name: "llvm-128", engine: Engine::Llvm, vector_bits: Some(128) },
];

const LINES: &[Line] = &[
    line("matmul", 1024, Some(0.80), Some(3.0)),
    line("matmul", 2048, Some(0.80), None),
    line("matmul_naive", 1024, None, Some(20.0)),
    memory(line("stencil5", 4096, Some(1.0), Some(3.0))),
    memory(line("stencil7", 256, Some(1.0), Some(3.0))),
    memory(line("saxpy", 1 << 25, Some(0.95), Some(3.0))),
    memory(line("reduce_sum", 1 << 25, Some(0.95), Some(3.0))),
    line("nbody", 8192, Some(0.9), Some(3.0)),
    line("mandelbrot", 1024, Some(0.9), Some(3.0)),
    line("black_scholes", 1 << 22, None, Some(3.0)),
    line("csr_spmv", 1 << 20, None, Some(3.0)),
    line("histogram", 1 << 24, None, Some(3.0)),
    memory(line("transpose", 4096, None, Some(3.0))),
];

struct Options {
    names: Vec<String>,
    seconds: f64,
}

fn options() -> Options {
    let mut options = Options { names: Vec::new(), seconds: 1.5 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--seconds" => {
                let value = words.next().and_then(|value| value.parse().ok());
                options.seconds = value.expect("--seconds takes a number");
            }
            _ if word.starts_with("--") => {}
            _ => options.names.push(word),
        }
    }
    options
}

fn main() {
    let options = options();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let engines: Vec<Contender> =
        CONTENDERS.into_iter().filter(|&contender| runtime(contender, 1).is_some()).collect();
    let first = engines[0];
    heading(cores, &engines);
    let chosen = LINES.iter().filter(|line| {
        options.names.is_empty() || options.names.iter().any(|name| name == line.kernel)
    });
    let mut missed = 0;
    let mut rates = Vec::new();
    for line in chosen {
        missed += run_line(line, &options, cores, &engines, &mut rates);
    }
    missed += cranelift(&rates, &engines);
    missed += compile_times(&options, &engines);
    overhead(first);
    println!("\n{missed} of the targets above were missed");
}

fn runtime(contender: Contender, threads: usize) -> Option<Runtime> {
    let mut builder =
        Runtime::builder().devices("cpu").cpu_engine(contender.engine).threads(threads);
    if let Some(bits) = contender.vector_bits {
        builder = builder.vector_bits(bits);
    }
    builder.build().ok()
}

fn text(kernel: &str) -> &'static str {
    coexec::ops::library().iter().find(|entry| entry.name == kernel).expect("a kernel").text
}

fn heading(cores: usize, engines: &[Contender]) {
    for &engine in engines {
        if let Some(runtime) = runtime(engine, cores) {
            let info = &runtime.devices()[0];
            println!("{}: {}, {}", engine.name, info.name, info.driver);
        }
    }
    println!("native peers: rayon, gemm 0.19 and intrinsics, with {}", instruction_set());
    print!("\n{:<14} {:<24} {:>7} {:>8}", "kernel", "job", "threads", "unit");
    for engine in engines {
        print!(" {:>10}", engine.name);
    }
    println!(
        " {:>10} {:>7} {:>7} {:>9} {:>7} {:>7}",
        "native", "ratio", "target", "lavapipe", "ratio", "target"
    );
}

fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx512f") {
            return "AVX-512";
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            return "AVX2";
        }
    }
    "the target's default instructions"
}

/// A kernel with one job's data, to launch repeatedly.
struct Launches {
    runtime: Runtime,
    kernel: Kernel,
    buffers: Vec<(&'static str, Buffer<u8>)>,
}

impl Launches {
    fn new(runtime: Runtime, kernel: &Kernel, job: &Job) -> Launches {
        let buffers =
            job.buffers.iter().map(|(name, bytes)| (*name, Buffer::from_slice(bytes))).collect();
        Launches { runtime, kernel: kernel.clone(), buffers }
    }

    fn run(&self, job: &Job) -> Duration {
        let begun = Instant::now();
        let mut launch = self.runtime.launch(&self.kernel);
        for (name, bytes) in &job.uniforms {
            launch = launch.set_bytes(name, bytes.clone());
        }
        for (name, buffer) in &self.buffers {
            launch = launch.bind(name, buffer);
        }
        let launch = match job.grid {
            Grid::Invocations(count) => launch.invocations(count.map(u64::from)),
            Grid::Workgroups(count) => launch.workgroups(count.map(u64::from)),
        };
        launch.run().expect("a launch");
        begun.elapsed()
    }
}

/// The rates of the contenders on a line, in the order of the contenders.
struct Rates {
    kernel: &'static str,
    threads: usize,
    memory: bool,
    reached: Vec<f64>,
}

/// Runs a line with one thread and with all. Returns the number of missed targets.
fn run_line(
    line: &Line,
    options: &Options,
    cores: usize,
    engines: &[Contender],
    rates: &mut Vec<Rates>,
) -> u32 {
    let case = CASES.iter().find(|case| case.name == line.kernel).expect("a case");
    let job = (case.build)(line.size);
    let kernel = Kernel::from_wgsl(text(line.kernel)).expect("a kernel of ours");
    let mut counts = vec![1];
    if cores > 1 {
        counts.push(cores);
    }
    let mut missed = 0;
    // lavapipe always runs on all cores, so it is measured once.
    let (lavapipe, patience) = (software(&kernel, line, &job), options.seconds);
    for threads in counts {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        let mut peer = match line.kernel {
            "matmul" => Some(gemm::matmul(&job)),
            name => peers::peers(name, &job).into_iter().next(),
        };
        let launches: Vec<Launches> = engines
            .iter()
            .filter_map(|&engine| Some(Launches::new(runtime(engine, threads)?, &kernel, &job)))
            .collect();
        let mut best = vec![Duration::MAX; launches.len()];
        let mut native = Duration::MAX;
        // The first runs compile and touch every page, so they are not timed.
        for launch in &launches {
            launch.run(&job);
        }
        if let Some(peer) = &mut peer {
            pool.install(|| (peer.run)());
        }
        let started = Instant::now();
        let contenders = launches.len() + usize::from(peer.is_some());
        let mut rounds = 0;
        while rounds < 3 || started.elapsed().as_secs_f64() < patience * contenders as f64 {
            for (launch, best) in launches.iter().zip(&mut best) {
                *best = (*best).min(launch.run(&job));
            }
            if let Some(peer) = &mut peer {
                native = native.min(pool.install(|| {
                    let begun = Instant::now();
                    (peer.run)();
                    begun.elapsed()
                }));
            }
            rounds += 1;
        }
        let rate = |time: Duration| job.work / 1e9 / time.as_secs_f64();
        print!("{:<14} {:<24} {:>7} {:>8}", line.kernel, job.shape, threads, job.unit);
        for &best in &best {
            print!(" {:>10.2}", rate(best));
        }
        let reached: Vec<f64> = best.iter().map(|&best| rate(best)).collect();
        let ours = reached[0];
        rates.push(Rates { kernel: line.kernel, threads, memory: line.memory, reached });
        match &peer {
            Some(_) => {
                print!(" {:>10.2}", rate(native));
                missed += target(ours / rate(native), line.peer);
            }
            None => print!(" {:>10} {:>7} {:>7}", "-", "-", "-"),
        }
        // lavapipe always runs on all cores, so it is no peer of one thread.
        match lavapipe {
            Some(time) if threads == cores => {
                print!(" {:>9.2}", rate(time));
                missed += target(ours / rate(time), line.lavapipe);
            }
            _ => print!(" {:>9} {:>7} {:>7}", "-", "-", "-"),
        }
        println!();
    }
    missed
}

/// Prints Cranelift's rates against LLVM's. Returns the number of missed targets.
fn cranelift(rates: &[Rates], engines: &[Contender]) -> u32 {
    let place = |name: &str| engines.iter().position(|engine| engine.name == name);
    let (Some(llvm), Some(short), Some(ours)) =
        (place("llvm"), place("llvm-128"), place("cranelift"))
    else {
        return 0;
    };
    println!(
        "\n{:<14} {:>7} {:>11} {:>7} {:>9} {:>7}",
        "cranelift", "threads", "/ llvm-128", "target", "/ llvm", "target"
    );
    let mut missed = 0;
    for line in rates {
        print!("{:<14} {:>7}    ", line.kernel, line.threads);
        let of = |other: usize| line.reached[ours] / line.reached[other];
        missed += target(of(short), Some(OF_SHORT_VECTORS));
        print!("  ");
        missed += target(of(llvm), line.memory.then_some(OF_LLVM_ON_MEMORY));
        println!();
    }
    missed
}

/// Prints a ratio and its target. Returns 1 if it was missed.
fn target(ratio: f64, target: Option<f64>) -> u32 {
    let missed = target.is_some_and(|target| ratio < target);
    let wanted = target
        .map_or("-".to_owned(), |target| format!("{}{target:.2}", if missed { "!" } else { "" }));
    print!(" {ratio:>7.2} {wanted:>7}");
    u32::from(missed)
}

#[cfg(feature = "gpu")]
fn software(kernel: &Kernel, line: &Line, job: &Job) -> Option<Duration> {
    use std::sync::OnceLock;
    static ADAPTER: OnceLock<Option<lavapipe::Lavapipe>> = OnceLock::new();
    line.lavapipe?;
    let adapter = ADAPTER.get_or_init(|| {
        let adapter = lavapipe::Lavapipe::open();
        match &adapter {
            Some(adapter) => println!("lavapipe: {}", adapter.name),
            None => println!("lavapipe: there is none"),
        }
        adapter
    });
    let signature = kernel.signature();
    let bindings: Vec<_> =
        signature.bindings.iter().filter_map(|b| Some((b.name.clone(), b.slot?))).collect();
    adapter.as_ref()?.measure(
        kernel.text(),
        signature.workgroup_size,
        &bindings,
        job,
        Duration::from_secs(2),
    )
}

#[cfg(not(feature = "gpu"))]
fn software(_: &Kernel, _: &Line, _: &Job) -> Option<Duration> {
    None
}

/// Prints the compile time of each kernel: the time of a first launch of a small job, less that of a
/// second one. Returns the number of missed targets.
fn compile_times(options: &Options, engines: &[Contender]) -> u32 {
    print!("\n{:<14} ", "compile, ms");
    let timed = |engine: &Contender| {
        COMPILING.iter().find(|(name, _)| *name == engine.name).map(|&(_, most)| (*engine, most))
    };
    let engines: Vec<(Contender, f64)> = engines.iter().filter_map(timed).collect();
    for (engine, _) in &engines {
        print!("{:>12}  target", engine.name);
    }
    println!();
    let mut missed = 0;
    for case in CASES {
        if !options.names.is_empty() && !options.names.iter().any(|name| name == case.name) {
            continue;
        }
        let job = (case.awkward)().remove(0);
        print!("{:<14} ", case.name);
        for &(engine, most) in &engines {
            let runtime = runtime(engine, 1).expect("an engine that is there");
            let best = (0..5)
                .map(|_| {
                    // A kernel that is parsed again is compiled again.
                    let kernel = Kernel::from_wgsl(text(case.name)).expect("a kernel of ours");
                    let launches = Launches::new(runtime.clone(), &kernel, &job);
                    let first = launches.run(&job);
                    first.saturating_sub(launches.run(&job))
                })
                .min()
                .unwrap_or_default();
            let time = best.as_secs_f64() * 1e3;
            let late = if time > most { "!" } else { "" };
            print!("{time:>12.1} {:>7}", format!("{late}{most}"));
            missed += u32::from(time > most);
        }
        println!();
    }
    missed
}

/// Prints the time to launch an empty kernel.
fn overhead(engine: Contender) {
    let kernel = Kernel::from_wgsl("@compute @workgroup_size(64) fn nothing() { }").expect("WGSL");
    let runtime = runtime(engine, 1).expect("an engine that is there");
    let launch = || runtime.launch(&kernel).workgroups([1, 1, 1]).run().expect("a launch");
    launch();
    let mut times: Vec<Duration> = (0..2000)
        .map(|_| {
            let begun = Instant::now();
            launch();
            begun.elapsed()
        })
        .collect();
    times.sort();
    println!(
        "\nan empty launch: {:.1} µs (median of {})",
        times[1000].as_secs_f64() * 1e6,
        times.len()
    );
}
