//! The command line as clap parses it, and the meaning of its values.
//!
//! A value that is wrong by itself is refused here, so that clap prints the usage and exits with 2.
//! The commands make the checks that need the kernel or a file.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use coexec::simulate::{self, Strategy};

use crate::data::{DataFile, Source, byte_count};

/// One unmodified WGSL compute kernel, on every processor of the machine at once.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the processors of this machine, with their limits and speeds
    Devices(DevicesArgs),
    /// Run a kernel on files or generated data
    #[command(after_help = INJECT)]
    Run(RunArgs),
    /// Describe the bindings of a kernel; with a grid and data, also what it reads and writes, and
    /// how it would be split
    Explain(ExplainArgs),
    /// Run a kernel in an instrumented interpreter and report data races, accesses out of bounds,
    /// and barriers and subgroup operations in divergent control flow, with the lines and the
    /// invocations. The exit code is 3 if there are any
    Check(CheckArgs),
    /// Run the kernels that come with coexec on each device and on all together; check and time
    /// them
    Bench(BenchArgs),
    /// Simulate how well each scheduling policy balances launches over devices that this machine
    /// need not have
    Simulate(SimulateArgs),
}

/// The meanings of the exit codes.
const EXIT_CODES: &str = "\
Exit codes: 0 success; 1 failure (an unreadable or damaged file, invalid WGSL, a device, a loop
without end, a comparison that differs); 2 wrong usage (a wrong flag, or data whose name, type or size
does not fit the kernel); 3 check found errors in the kernel; 130 Ctrl-C.";

const INJECT: &str = "\
Fault injection: the environment variable COEXEC_INJECT makes devices fail, to show how a run
recovers. It holds a list of DEVICE:FAULT@N (at the N-th chunk that the device is given, from 1),
DEVICE:FAULT@N+ (at that and all later chunks) and DEVICE:FAULT%PERCENT:SEED (at random chunks).
DEVICE is an id or *. FAULT is lost, lost-late (while it computes), destroy (a GPU, for real), oom,
reject (the kernel), hang, map, panic, panic-late, wrong (one bit of the result; see --verify) or any
(of these except wrong).";

#[derive(Debug, Args)]
pub(crate) struct DevicesArgs {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not measure
    #[arg(long)]
    pub(crate) no_measure: bool,
}

/// What `run`, `explain` and `check` share: a kernel, its grid and its data.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("grid").args(["workgroups", "invocations"])))]
pub(crate) struct LaunchArgs {
    /// A WGSL file with a compute kernel
    #[arg(value_name = "K.wgsl")]
    pub(crate) kernel: PathBuf,

    /// Workgroups along x, y and z
    #[arg(long, value_name = "X[,Y[,Z]]", value_parser = extent)]
    pub(crate) workgroups: Option<[u64; 3]>,

    /// Invocations along x, y and z, rounded up to whole workgroups
    #[arg(long, value_name = "X[,Y[,Z]]", value_parser = extent)]
    pub(crate) invocations: Option<[u64; 3]>,

    /// The entry point, where the file has several
    #[arg(long, value_name = "NAME")]
    pub(crate) entry: Option<String>,

    #[command(flatten)]
    pub(crate) devices: DeviceArgs,

    /// Cut the grid into exactly N chunks
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) chunks: Option<u32>,

    /// Promise that the kernel has no data race: split it even where no proof shows that this is
    /// safe, and merge what the chunks write
    #[arg(long)]
    pub(crate) assume_race_free: bool,

    /// The most iterations of one invocation in loops that are not known to end; more fail the run.
    /// Default 67108864; 65536 for check and --measure, which are slower
    #[arg(long, value_name = "N")]
    pub(crate) loop_budget: Option<u64>,

    /// Data for a storage binding. NAME is a WGSL variable or GROUP:BINDING; SRC is @FILE.npy,
    /// @FILE.bin (raw little-endian bytes; also .raw, .dat, .f32, .f16, .i32, .u32 or no suffix),
    /// raw:FILE (raw bytes from a file of any name), zeros:BYTES (k, M and G mean powers of 1024),
    /// random:SEED:COUNT:TYPE or list:TYPE:1,2,3. TYPE is f32, f16, i32 or u32; random floats are
    /// in [0, 1), random integers over their whole range
    #[arg(long = "bind", value_name = "NAME=SRC", value_parser = binding)]
    pub(crate) binds: Vec<(String, Source)>,

    /// The value of a uniform, as JSON: a number, a list for a vector, matrix or array, an object
    /// for a struct. Or a field at a time: --set grid.width=64 --set grid.height=32
    #[arg(long = "set", value_name = "NAME=JSON", value_parser = json)]
    pub(crate) sets: Vec<(String, serde_json::Value)>,

    /// The value of an override constant
    #[arg(long = "constant", value_name = "NAME=V", value_parser = constant)]
    pub(crate) constants: Vec<(String, f64)>,
}

impl LaunchArgs {
    /// Whether neither a grid nor data was given, so that there is only a kernel.
    pub(crate) fn describes_no_launch(&self) -> bool {
        let grid = self.workgroups.or(self.invocations);
        grid.is_none() && self.binds.is_empty() && self.sets.is_empty()
    }
}

#[derive(Debug, Args)]
pub(crate) struct DeviceArgs {
    /// cpu, gpu (every real GPU), all (software adapters too), a list such as cpu,gpu0, or
    /// virtual:N (N logical devices on the first adapter, or on the CPU where there is none).
    /// The default is the CPU and every real GPU
    #[arg(long, value_name = "DEVICES")]
    pub(crate) devices: Option<String>,

    /// How the CPU executes kernels
    #[arg(long, value_enum, default_value_t = CpuEngine::Auto)]
    pub(crate) cpu_engine: CpuEngine,

    /// Memory that buffers may take on a GPU, such as gpu0=8M (k, M and G mean powers of 1024).
    /// Larger data is streamed through it
    #[arg(long, value_name = "DEVICE=BYTES", value_parser = budget)]
    pub(crate) memory_budget: Vec<(String, u64)>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CpuEngine {
    /// The fastest that can run the kernel
    Auto,
    /// The compiler, through a libLLVM of this machine
    Llvm,
    /// The compiler, through Cranelift, which is always available
    Cranelift,
    /// The reference interpreter
    Interpreter,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) launch: LaunchArgs,

    /// Write a binding to a file afterwards: FILE.npy, FILE.bin (raw little-endian bytes; also the
    /// suffixes that --bind reads) or raw:FILE (raw bytes to a file of any name). Without --out a
    /// summary of each binding that the kernel writes is printed
    #[arg(long = "out", value_name = "NAME=FILE", value_parser = out)]
    pub(crate) outs: Vec<(String, DataFile)>,

    /// Run on each of these device selections and compare every binding that the kernel writes
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        num_args = 1,
        conflicts_with = "devices"
    )]
    pub(crate) compare: Vec<String>,

    /// Compute a fraction of the grid, from 0 to 1, on a second device too, and compare. Where the
    /// two differ, a third device decides, and the work of the wrong one is computed again; the
    /// report says so
    #[arg(long, value_name = "FRACTION", value_parser = fraction, conflicts_with = "compare")]
    pub(crate) verify: Option<f64>,

    /// The differences that --compare and --verify allow: floats agree within ABS or within REL of
    /// the larger one, integers within INT; without INT integers must be equal
    #[arg(long, value_name = "ABS,REL[,INT]", value_parser = tolerance, default_value = "1e-6,1e-5")]
    pub(crate) tolerance: Tolerance,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) launch: LaunchArgs,

    /// Run the kernel in the interpreter and say how tight the footprints are: the elements inferred
    /// for each element touched. In 8 chunks, unless --chunks is given. Slow
    #[arg(long, conflicts_with_all = ["spmd", "llvm", "asm"])]
    pub(crate) measure: bool,

    /// Run the launch N times, and show what each step moves to and from each device
    #[arg(long, value_name = "N", conflicts_with_all = ["spmd", "llvm", "asm"])]
    pub(crate) iterations: Option<u32>,

    /// After each step of --iterations, the buffers of these two bindings change places
    #[arg(long, value_name = "A=B", value_parser = swap, requires = "iterations")]
    pub(crate) swap: Vec<(String, String)>,

    /// Print the kernel as the CPU compiler vectorises it: gangs, and the values that are uniform in
    /// them. Like --llvm and --asm, this needs neither a grid nor data
    #[arg(long, conflicts_with_all = ["llvm", "asm"])]
    pub(crate) spmd: bool,

    /// Print the LLVM IR of the kernel after optimisation; with --cpu-engine cranelift that of Cranelift
    #[arg(long, conflicts_with = "asm")]
    pub(crate) llvm: bool,

    /// Print the assembly of the kernel by the engine that --cpu-engine names
    #[arg(long)]
    pub(crate) asm: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) launch: LaunchArgs,

    /// Also report what is only suspicious: memory that is read before it is written, NaN and
    /// infinity made of finite values, indices whose arithmetic overflows
    #[arg(long)]
    pub(crate) lint: bool,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// The kernels to run; all of them if none is named
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// small, medium, large or numbers (what a number counts depends on the kernel: the side of a
    /// matrix or a picture, the elements of a vector)
    #[arg(long, value_name = "SIZES", value_delimiter = ',', default_value = "small,medium", value_parser = bench_size)]
    pub(crate) sizes: Vec<BenchSize>,

    #[command(flatten)]
    pub(crate) devices: DeviceArgs,

    /// Write the results to a file as well
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,

    /// Measure each configuration for at least S seconds
    #[arg(long, value_name = "S", default_value_t = 0.3)]
    pub(crate) seconds: f64,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The scenario. Without one, the standard scenario: unequal devices whose speeds are estimated
    /// up to 4 times wrong, jitter, and one device that becomes 5 times slower
    #[arg(value_name = "SCENARIO.toml")]
    pub(crate) scenario: Option<PathBuf>,

    /// The numbers of devices, instead of those of the scenario. Default without a file:
    /// 2,3,4,8,16,32,64. 4096 take a minute
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub(crate) devices: Vec<u32>,

    /// The launches for each number of devices, instead of those of the scenario. Default without a
    /// file: 100
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seeds: Option<u32>,

    /// Only these policies: static, dynamic, guided, adaptive
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = policy)]
    pub(crate) policies: Vec<Strategy>,

    /// Write a picture of one launch with each policy, on the first number of devices
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) timeline: Option<PathBuf>,

    /// The launch that --timeline shows
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub(crate) seed: u32,

    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tolerance {
    pub(crate) abs: f64,
    pub(crate) rel: f64,
    pub(crate) int: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BenchSize {
    /// Small, medium or large, as a position in the case's list.
    Named(usize),
    Number(usize),
}

fn extent(text: &str) -> Result<[u64; 3], String> {
    let parts: Vec<&str> = text.split(',').collect();
    if parts.len() > 3 {
        return Err("a grid has at most three axes".to_owned());
    }
    let mut extent = [1; 3];
    for (axis, part) in parts.into_iter().enumerate() {
        extent[axis] =
            part.trim().parse().map_err(|_| format!("`{part}` is not a whole number"))?;
    }
    Ok(extent)
}

fn pair<'a>(text: &'a str, what: &str) -> Result<(String, &'a str), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value))
        }
        _ => Err(format!("write it as {what}")),
    }
}

fn binding(text: &str) -> Result<(String, Source), String> {
    let (name, source) = pair(text, "NAME=SRC, such as x=@x.npy or x=zeros:4096")?;
    Ok((name, source.parse()?))
}

fn budget(text: &str) -> Result<(String, u64), String> {
    let (device, bytes) = pair(text, "DEVICE=BYTES, such as gpu0=8M")?;
    Ok((device, byte_count(bytes)?))
}

fn swap(text: &str) -> Result<(String, String), String> {
    let (a, b) = pair(text, "A=B, such as src=dst")?;
    Ok((a, b.to_owned()))
}

fn json(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = pair(text, "NAME=JSON, such as 'grid={\"width\": 64, \"height\": 32}'")?;
    let value = serde_json::from_str(value).map_err(|e| {
        format!("`{value}` is not JSON: {e}. Quote it for the shell: '{name}={{\"field\": 1}}'")
    })?;
    Ok((name, value))
}

fn constant(text: &str) -> Result<(String, f64), String> {
    let (name, value) = pair(text, "NAME=V, such as TILE=16")?;
    let value = match value {
        "true" => 1.0,
        "false" => 0.0,
        number => number.parse().map_err(|_| format!("`{number}` is not a number"))?,
    };
    Ok((name, value))
}

fn out(text: &str) -> Result<(String, DataFile), String> {
    let (name, file) = pair(text, "NAME=FILE, such as y=y.npy")?;
    Ok((name, DataFile::named(file)?))
}

fn tolerance(text: &str) -> Result<Tolerance, String> {
    let wrong = || {
        format!(
            "`{text}` is neither two numbers such as 1e-6,1e-5 nor two and an integer: 1e-6,1e-5,4"
        )
    };
    let (abs, rest) = text.split_once(',').ok_or_else(wrong)?;
    let (rel, int) = rest.split_once(',').unwrap_or((rest, "0"));
    let number = |part: &str| {
        part.trim().parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0).ok_or_else(wrong)
    };
    let int = int.trim().parse().map_err(|_| wrong())?;
    Ok(Tolerance { abs: number(abs)?, rel: number(rel)?, int })
}

fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
    number.ok_or_else(|| format!("`{text}` is not a number from 0 to 1"))
}

fn bench_size(text: &str) -> Result<BenchSize, String> {
    match text {
        "small" => Ok(BenchSize::Named(0)),
        "medium" => Ok(BenchSize::Named(1)),
        "large" => Ok(BenchSize::Named(2)),
        number => match number.parse() {
            Ok(n) if n > 0 => Ok(BenchSize::Number(n)),
            _ => Err("expected small, medium, large or a positive number".to_owned()),
        },
    }
}

fn policy(text: &str) -> Result<Strategy, String> {
    POLICIES
        .into_iter()
        .find(|policy| simulate::name(*policy) == text)
        .ok_or_else(|| format!("`{text}` is not a policy; use static, dynamic, guided or adaptive"))
}

/// The policies that can be compared.
pub(crate) const POLICIES: [Strategy; 4] =
    [Strategy::Static, Strategy::Dynamic, Strategy::Guided, Strategy::Adaptive];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn an_extent_defaults_to_one_on_the_axes_left_out() {
        assert_eq!(extent("7"), Ok([7, 1, 1]));
        assert_eq!(extent("7,0"), Ok([7, 0, 1]));
        assert_eq!(extent("1,2,3"), Ok([1, 2, 3]));
        assert!(extent("1,2,3,4").is_err());
        assert!(extent("-1").unwrap_err().contains("`-1`"));
    }

    #[test]
    fn flags_of_the_wrong_form_say_the_right_one() {
        assert!(binding("x").unwrap_err().contains("NAME=SRC"));
        assert!(json("grid={width:1}").unwrap_err().contains("not JSON"));
        assert!(constant("T=big").unwrap_err().contains("not a number"));
        assert_eq!(constant("T=true"), Ok(("T".to_owned(), 1.0)));
        assert!(tolerance("1e-3").is_err());
        assert!(tolerance("1e-3,-1").is_err());
        assert!(tolerance("1e-3,0,1.5").is_err());
        assert!(tolerance("1e-3,0,1,1").is_err());
        assert_eq!(tolerance("0,1e-3"), Ok(Tolerance { abs: 0.0, rel: 1e-3, int: 0 }));
        assert_eq!(tolerance("0,1e-3, 7"), Ok(Tolerance { abs: 0.0, rel: 1e-3, int: 7 }));
    }
}
