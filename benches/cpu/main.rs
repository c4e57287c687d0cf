//! The CPU compiler against what it means to equal: native code for the same job, and lavapipe
//! running the same WGSL. All in one process, the contenders of a line taking turns, the best of
//! several runs each; so the ratios hold where the times do not.
//!
//!     cargo bench --bench cpu                     the whole table, some minutes
//!     cargo bench --bench cpu -- matmul saxpy     these kernels
//!     cargo bench --bench cpu -- --seconds 1      a line's time for each contender
//!
//! Ratios are rates: above 1, coexec is faster. Targets are those of the project; a line that
//! misses its target is marked.

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

/// A line of the table: a kernel, the size of its job, and what it should reach.
struct Line {
    kernel: &'static str,
    size: usize,
    /// Against the native peer.
    peer: Option<f64>,
    /// Against lavapipe; nothing where that takes too long.
    lavapipe: Option<f64>,
}

const fn line(kernel: &'static str, size: usize, peer: Option<f64>, lavapipe: Option<f64>) -> Line {
    Line { kernel, size, peer, lavapipe }
}

const LINES: &[Line] = &[
    line("matmul", 1024, Some(0.80), Some(3.0)),
    line("matmul", 2048, Some(0.80), None),
    line("matmul_naive", 1024, None, Some(20.0)),
    line("stencil5", 4096, Some(1.0), Some(3.0)),
    line("stencil7", 256, Some(1.0), Some(3.0)),
    line("saxpy", 1 << 25, Some(0.95), Some(3.0)),
    line("reduce_sum", 1 << 25, Some(0.95), Some(3.0)),
    line("nbody", 8192, Some(0.9), Some(3.0)),
    line("mandelbrot", 1024, Some(0.9), Some(3.0)),
    line("black_scholes", 1 << 22, None, Some(3.0)),
    line("csr_spmv", 1 << 20, None, Some(3.0)),
    line("histogram", 1 << 24, None, Some(3.0)),
    line("transpose", 4096, None, Some(3.0)),
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
    let engines: Vec<Engine> = ["llvm", "cranelift"]
        .into_iter()
        .filter_map(|name| name.parse().ok())
        .filter(|&engine| runtime(engine, 1).is_some())
        .collect();
    let Some(&first) = engines.first() else {
        println!("there is no compiled engine here: no libLLVM was found");
        return;
    };
    heading(cores, &engines);
    let chosen = LINES.iter().filter(|line| {
        options.names.is_empty() || options.names.iter().any(|name| name == line.kernel)
    });
    let mut missed = 0;
    for line in chosen {
        missed += run_line(line, &options, cores, &engines);
    }
    compile_times(&options, &engines);
    overhead(first);
    println!("\n{missed} of the targets above were missed");
}

fn runtime(engine: Engine, threads: usize) -> Option<Runtime> {
    Runtime::builder().devices("cpu").cpu_engine(engine).threads(threads).build().ok()
}

fn text(kernel: &str) -> &'static str {
    coexec::ops::library().iter().find(|entry| entry.name == kernel).expect("a kernel").text
}

fn heading(cores: usize, engines: &[Engine]) {
    for &engine in engines {
        if let Some(runtime) = runtime(engine, cores) {
            let info = &runtime.devices()[0];
            println!("{engine}: {}, {}", info.name, info.driver);
        }
    }
    println!("native peers: rayon, gemm 0.19 and intrinsics, with {}", instruction_set());
    print!("\n{:<14} {:<24} {:>7} {:>8}", "kernel", "job", "threads", "unit");
    for engine in engines {
        print!(" {:>10}", engine.to_string());
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

/// Launches of one kernel on one job's data.
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

/// Runs a line with one thread and with all; gives the number of targets missed.
fn run_line(line: &Line, options: &Options, cores: usize, engines: &[Engine]) -> u32 {
    let case = CASES.iter().find(|case| case.name == line.kernel).expect("a case");
    let job = (case.build)(line.size);
    let kernel = Kernel::from_wgsl(text(line.kernel)).expect("a kernel of ours");
    let mut counts = vec![1];
    if cores > 1 {
        counts.push(cores);
    }
    let mut missed = 0;
    // It runs on all cores, whatever else does, so it is measured once.
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
        // The first runs compile and touch every page.
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
        let ours = best.first().map_or(0.0, |&best| rate(best));
        match &peer {
            Some(_) => {
                print!(" {:>10.2}", rate(native));
                missed += target(ours / rate(native), line.peer);
            }
            None => print!(" {:>10} {:>7} {:>7}", "-", "-", "-"),
        }
        // lavapipe always has all cores, so one thread of ours is not held against it.
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

/// Prints a ratio and its target; 1 if it was missed.
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

/// The time from a parsed kernel to machine code, by kernel: a first launch of a small job, less
/// a second one.
fn compile_times(options: &Options, engines: &[Engine]) {
    println!(
        "\n{:<14} {}",
        "compile, ms",
        engines.iter().map(|e| format!("{:>12}", e.to_string())).collect::<String>()
    );
    for case in CASES {
        if !options.names.is_empty() && !options.names.iter().any(|name| name == case.name) {
            continue;
        }
        let job = (case.awkward)().remove(0);
        print!("{:<14} ", case.name);
        for &engine in engines {
            let runtime = runtime(engine, 1).expect("an engine that is there");
            let best = (0..5)
                .map(|_| {
                    // Every kernel that is parsed anew is compiled anew.
                    let kernel = Kernel::from_wgsl(text(case.name)).expect("a kernel of ours");
                    let launches = Launches::new(runtime.clone(), &kernel, &job);
                    let first = launches.run(&job);
                    first.saturating_sub(launches.run(&job))
                })
                .min()
                .unwrap_or_default();
            print!("{:>12.1}", best.as_secs_f64() * 1e3);
        }
        println!();
    }
}

/// A launch of a kernel that does nothing.
fn overhead(engine: Engine) {
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
