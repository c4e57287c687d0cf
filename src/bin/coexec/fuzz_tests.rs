//! Fuzzes command lines and .npy files: any contents give an error or a launch, without a panic and
//! without an absurd amount of memory.
//!
//! `COEXEC_FUZZ=1000000 cargo test --release --bin coexec fuzz -- --nocapture` runs for long;
//! `COEXEC_FUZZ_FROM=4711 COEXEC_FUZZ=1` repeats one execution.

#[path = "../../../tests/fuzz/executions.rs"]
mod executions;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use clap::Parser;
use coexec::Kernel;

use executions::executions;

use crate::args::{Cli, Command};
use crate::data::{DataFile, Source};
use crate::prepare::Prepared;

const KERNEL: &str = "
    struct Grid { width: u32, height: u32, alpha: f32 }
    @group(0) @binding(0) var<uniform> grid: Grid;
    @group(0) @binding(1) var<storage, read> src: array<f32>;
    @group(0) @binding(2) var<storage, read_write> dst: array<vec2<f32>>;
    override TILE: u32 = 4;
    @compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        dst[id.x] = vec2(src[id.x] * grid.alpha, f32(TILE));
    }";

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("coexec-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

#[test]
fn fuzz_the_command_line() {
    let folder = folder("lines");
    let kernel = folder.join("k.wgsl");
    std::fs::write(&kernel, KERNEL).expect("a file for the test");
    let kernel = kernel.display().to_string();
    let values = [
        "run",
        "explain",
        "check",
        "devices",
        "bench",
        "--invocations",
        "--workgroups",
        "--bind",
        "--set",
        "--constant",
        "--out",
        "--devices",
        "--chunks",
        "--json",
        "--verify",
        "--tolerance",
        "--loop-budget",
        "--compare",
        "--entry",
        "--cpu-engine",
        "1",
        "64,2",
        "0",
        "-1",
        "4294967296,1,1",
        "1,2,3,4",
        "",
        "src=zeros:256",
        "src=random:1:64:f32",
        "src=list:f32:1,2,nan,1e999",
        "dst=zeros:1k",
        "dst=zeros:",
        "src=random:1:99:u32",
        "src=random:x:1:f32",
        "src=@/no/such.npy",
        "src=raw:/no/such.csv",
        "src=@x.csv",
        "dst=@",
        "0:1=zeros:64",
        "9:9=zeros:4",
        "grid={\"width\":8,\"height\":1,\"alpha\":0.5}",
        "grid.width=8",
        "grid.height=1e9",
        "grid.alpha=\"x\"",
        "grid[3].width=1",
        "grid=[1,2,3]",
        "grid={}",
        "grid=null",
        "grid.width.x=1",
        "TILE=4",
        "TILE=-4",
        "TILE=1e99",
        "TILE=true",
        "0.5",
        "1.5",
        "1e-6,1e-5",
        "cpu",
        "virtual:9999",
        "cpu,,",
        "all",
        "main",
        "é",
        "=",
        "x=",
        "=x",
        "dst=/no/such/folder/x.npy",
        "interpreter",
        "18446744073709551616",
        "--",
        "--help",
        "--version",
        "src=zeros:99999999999999999999G",
    ];
    let runtime = || {
        let builder = coexec::Runtime::builder().devices("cpu").threads(1);
        builder.build().expect("the CPU is there")
    };
    executions("command line", 2, runtime, |runtime, random| {
        let mut line = vec!["coexec".to_owned()];
        if !random.one_in(4) {
            // Usually something that is nearly right.
            let usual = [
                "run",
                &kernel,
                "--invocations",
                "64",
                "--bind",
                "src=random:1:64:f32",
                "--bind",
                "dst=zeros:512",
                "--set",
                "grid={\"width\":8,\"height\":1,\"alpha\":0.5}",
            ];
            line.extend(usual.map(str::to_owned));
        }
        for _ in 0..1 + random.below(4) {
            let value = (*random.pick(&values)).to_owned();
            let at = 1 + random.below(line.len());
            match random.below(3) {
                0 if at < line.len() => line[at] = value,
                1 if at < line.len() => drop(line.remove(at)),
                _ => line.insert(at.min(line.len()), value),
            }
        }
        let Ok(cli) = Cli::try_parse_from(&line) else { return };
        let launch = match &cli.command {
            Command::Run(args) => &args.launch,
            Command::Explain(args) => &args.launch,
            Command::Check(args) => &args.launch,
            _ => return,
        };
        if let Ok(prepared) = Prepared::new(launch) {
            let buffers = prepared.upload();
            // An error, or a plan.
            drop(prepared.launch(runtime, &buffers).plan());
        }
    });
    drop(std::fs::remove_dir_all(folder));
}

#[test]
fn fuzz_npy_files() {
    let folder = folder("npy");
    let kernel = Kernel::from_wgsl(KERNEL).expect("valid WGSL");
    let header = |text: &str| {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.bytes());
        bytes.extend([0; 64]);
        bytes
    };
    let seeds = [
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (16,), }\n"),
        header("{'descr': '>f4', 'fortran_order': False, 'shape': (4, 4), }\n"),
        header("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 16), }\n"),
        header(
            "{'descr': [('a', '<f4'), ('b', '<i2', (3,))], 'fortran_order': False, 'shape': (2,), }\n",
        ),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551615, 4), }\n"),
        header("{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n"),
    ];
    let files = AtomicU32::new(0);
    let path = || folder.join(format!("{}.npy", files.fetch_add(1, Relaxed)));
    executions("npy", 2, path, |path, random| {
        let mut bytes = random.pick(&seeds).clone();
        for _ in 0..random.below(6) {
            let at = random.below(bytes.len());
            match random.below(5) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes.truncate(at.max(1)),
                3 => bytes.insert(at, b"0123456789(),'[]<>fiu"[random.below(21)]),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                break;
            }
        }
        std::fs::write(&*path, &bytes).expect("a file for the test");
        for binding in &kernel.signature().bindings {
            if let Ok(data) = Source::File(DataFile { path: path.clone(), npy: true }).load(binding)
            {
                assert!(data.bytes.len() <= bytes.len(), "more than there is");
            }
        }
    });
    drop(std::fs::remove_dir_all(folder));
}
