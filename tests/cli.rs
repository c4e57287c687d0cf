//! The command line as scripts see it: exit codes, messages, files, and outputs whose bytes do not
//! depend on how a launch is split.
#![cfg(feature = "cli")]

mod engines;

use std::path::{Path, PathBuf};
use std::process::Command;

const STENCIL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels/stencil5.wgsl");

/// The exit code and the output of a run of the program.
struct Outcome {
    code: Option<i32>,
    out: String,
    err: String,
}

fn coexec(args: &[&str]) -> Outcome {
    // Speeds measured by a user's earlier runs must not influence a test.
    coexec_with(args, &[("COEXEC_CACHE_DIR", "")])
}

fn coexec_with(args: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let mut program = Command::new(env!("CARGO_BIN_EXE_coexec"));
    let output = program.args(args).envs(environment.iter().copied()).output();
    let output = output.expect("it starts");
    Outcome {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[track_caller]
fn succeeds(args: &[&str]) -> String {
    let outcome = coexec(args);
    assert_eq!(outcome.code, Some(0), "{args:?}\n{}\n{}", outcome.out, outcome.err);
    outcome.out
}

/// Asserts that the command fails with this code, and that stderr contains each of the parts.
#[track_caller]
fn fails(code: i32, args: &[&str], parts: &[&str]) {
    let outcome = coexec(args);
    assert_eq!(outcome.code, Some(code), "{args:?}\n{}\n{}", outcome.out, outcome.err);
    for part in parts {
        assert!(outcome.err.contains(part), "{args:?}: no {part:?} in:\n{}", outcome.err);
    }
    assert!(!outcome.err.contains("panicked"), "{}", outcome.err);
}

/// An empty folder for one test.
fn folder(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("a folder for the test");
    path
}

fn file(folder: &Path, name: &str, contents: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, contents).expect("a file for the test");
    path.display().to_string()
}

/// The bytes of a .npy file.
fn npy(dtype: &str, shape: &str, values: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    let padded = format!("{header:<117}\n");
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((padded.len() as u16).to_le_bytes());
    npy.extend(padded.as_bytes());
    npy.extend(values);
    npy
}

const DOUBLE: &str = "@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;
@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) { dst[id.x] = 2.0 * src[id.x]; }
";

/// A stencil launch with everything but devices and outputs.
const HEAT: [&str; 8] = [
    "run",
    STENCIL,
    "--invocations",
    "61,47",
    "--set",
    r#"grid={"width":61,"height":47,"alpha":0.2}"#,
    "--bind",
    "src=random:7:2867:f32",
];

fn heat<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut args = HEAT.to_vec();
    args.extend(["--bind", "dst=zeros:11468"]);
    args.extend(more);
    args
}

#[test]
fn a_split_run_writes_the_same_bytes_as_an_unsplit_one() {
    let folder = folder("split");
    let mut selections = vec!["cpu".to_owned()];
    selections.extend(engines::gpu_ids());
    if selections.len() == 1 {
        engines::skip("split runs of the program on a GPU", "this machine has no adapter");
    }
    for device in &selections {
        let whole = folder.join(format!("{device}.bin")).display().to_string();
        succeeds(&heat(&["--devices", device, "--out", &format!("dst={whole}")]));
        let whole = std::fs::read(&whole).expect("an output");
        assert_eq!(whole.len(), 4 * 61 * 47);
        assert!(whole.iter().any(|&byte| byte != 0));
        let virtual_3 = format!("virtual:3:{device}");
        for (how, more) in [
            ("7", vec!["--devices", device, "--chunks", "7"]),
            ("2", vec!["--devices", device, "--chunks", "2"]),
            ("v", vec!["--devices", &virtual_3]),
            ("v7", vec!["--devices", &virtual_3, "--chunks", "7"]),
        ] {
            let path = folder.join(format!("{device}-{how}.bin")).display().to_string();
            let out = format!("dst={path}");
            let mut args = heat(&more);
            args.extend(["--out", &out]);
            succeeds(&args);
            assert!(std::fs::read(&path).expect("an output") == whole, "{device} {more:?}");
        }
    }
}

#[test]
fn all_devices_together_agree_with_one() {
    if engines::gpu_ids().is_empty() {
        return engines::skip("all devices together", "this machine has no adapter");
    }
    let text = succeeds(&heat(&["--compare", "cpu,gpu"]));
    assert!(text.contains("dst") && text.contains("agree"), "{text}");
    succeeds(&heat(&["--compare", "cpu,all"]));
    let strict = heat(&["--compare", "cpu,virtual:3:cpu", "--tolerance", "0,0"]);
    assert!(succeeds(&strict).contains("bit for bit"));
}

#[test]
fn a_comparison_that_fails_exits_with_1_and_names_the_worst_element() {
    if engines::gpu_ids().is_empty() {
        return engines::skip("a comparison that fails", "this machine has no adapter");
    }
    let folder = folder("compare");
    // The sine of a large argument differs between CPU and GPU.
    let kernel = file(
        &folder,
        "accuracy.wgsl",
        "@group(0) @binding(0) var<storage, read_write> dst: array<f32>;
         @compute @workgroup_size(1)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             dst[id.x] = sin(1000.0 + 37.7 * f32(id.x)) * 1e6;
         }",
    );
    let outcome = coexec(&[
        "run",
        &kernel,
        "--invocations",
        "1000",
        "--bind",
        "dst=zeros:4000",
        "--compare",
        "cpu,gpu",
        "--tolerance",
        "0,0",
    ]);
    assert_eq!(outcome.code, Some(1), "{}\n{}", outcome.out, outcome.err);
    assert!(outcome.out.contains("DIFFER") && outcome.out.contains("element"), "{}", outcome.out);
}

#[test]
fn npy_files_go_in_and_out_with_their_shape() {
    let folder = folder("npy");
    let kernel = file(&folder, "double.wgsl", DOUBLE);
    let values: Vec<u8> = (1..=6).flat_map(|value| (value as f32).to_le_bytes()).collect();
    let source = file(&folder, "in.npy", npy("<f4", "(2, 3)", &values));
    let out = folder.join("out.npy").display().to_string();
    succeeds(&[
        "run",
        &kernel,
        "--devices",
        "cpu",
        "--invocations",
        "6",
        "--bind",
        &format!("src=@{source}"),
        "--bind",
        "dst=zeros:24",
        "--out",
        &format!("dst={out}"),
    ]);
    let written = std::fs::read(&out).expect("an output");
    assert_eq!(&written[..6], b"\x93NUMPY");
    let values: Vec<f32> = written[written.len() - 24..]
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    assert_eq!(values, [2.0, 4.0, 6.0, 8.0, 10.0, 12.0]);
}

#[test]
fn without_out_a_summary_is_printed_and_json_is_json() {
    let folder = folder("summary");
    let kernel = file(&folder, "double.wgsl", DOUBLE);
    let args = [
        "run",
        &kernel,
        "--devices",
        "cpu",
        "--workgroups",
        "1",
        "--bind",
        "src=list:f32:1,2,3,-4",
        "--bind",
        "dst=zeros:16",
    ];
    let text = succeeds(&args);
    assert!(text.contains("dst") && text.contains("-8"), "{text}");
    let mut json = args.to_vec();
    json.push("--json");
    let value: serde_json::Value = serde_json::from_str(&succeeds(&json)).expect("JSON");
    assert!(value["outputs"].is_array(), "{value}");
}

#[test]
fn usage_mistakes_exit_with_2_and_name_the_thing() {
    let folder = folder("usage");
    let kernel = file(&folder, "double.wgsl", DOUBLE);
    let k = kernel.as_str();
    let src = ["--bind", "src=list:f32:1,2,3,4"];
    let dst = ["--bind", "dst=zeros:16"];
    let run = |parts: &[&[&'static str]]| -> Vec<String> {
        let mut args = vec!["run".to_owned(), k.to_owned()];
        args.extend(parts.iter().copied().flatten().map(|&part| part.to_owned()));
        args
    };
    let grid: &[&str] = &["--workgroups", "1"];
    let cases: Vec<(Vec<String>, &[&str])> = vec![
        (run(&[grid, &src]), &["dst"]),
        (run(&[&src, &dst]), &["--workgroups", "--invocations"]),
        (run(&[grid, &src, &dst, &["--bind", "nosuch=zeros:16"]]), &["nosuch", "`src`", "`dst`"]),
        (run(&[grid, &src, &src, &dst]), &["src", "twice"]),
        (run(&[grid, &src, &["--bind", "dst=zeros:2"]]), &["dst", "4", "2"]),
        (run(&[grid, &src, &dst, &["--entry", "other"]]), &["other", "main"]),
        (run(&[grid, &src, &dst, &["--constant", "N=3"]]), &["N"]),
        (run(&[grid, &src, &dst, &["--constant", "N=x"]]), &["x"]),
        (run(&[grid, &src, &dst, &["--set", "dst=3"]]), &["dst"]),
        (run(&[grid, &src, &dst, &["--devices", "tpu"]]), &["tpu", "cpu"]),
        (run(&[grid, &src, &dst, &["--devices", "gpu99"]]), &["gpu99"]),
        (run(&[grid, &src, &dst, &["--chunks", "0"]]), &["0"]),
        (run(&[grid, &src, &dst, &["--cpu-engine", "magic"]]), &["magic", "interpreter"]),
        (run(&[&["--workgroups", "5000000000"], &src, &dst]), &["5000000000"]),
        (run(&[&["--workgroups", "1,2,3,4"], &src, &dst]), &["three"]),
        (run(&[&["--workgroups", "-1"], &src, &dst]), &["-1"]),
        (run(&[grid, &dst, &["--bind", "src=list:f32:1,x"]]), &["x", "f32"]),
        (run(&[grid, &dst, &["--bind", "src=list:i33:1"]]), &["i33"]),
        (run(&[grid, &dst, &["--bind", "src=sometimes:1"]]), &["sometimes"]),
        (run(&[grid, &src, &dst, &["--out", "nosuch=x.bin"]]), &["nosuch"]),
    ];
    for (args, parts) in cases {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        fails(2, &args, parts);
    }
    fails(2, &["fly"], &["fly"]);
    fails(2, &[], &["Usage"]);
}

#[test]
fn data_that_does_not_fit_the_kernel_exits_with_2() {
    let folder = folder("unfit");
    let kernel = file(&folder, "double.wgsl", DOUBLE);
    let with = |source: &str, parts: &[&str]| {
        let src = format!("src={source}");
        let args = ["run", &kernel, "--devices", "cpu", "--workgroups", "1", "--bind", &src];
        fails(2, &[&args[..], &["--bind", "dst=zeros:16"]].concat(), parts);
    };
    let file = |name: &str, npy: Vec<u8>| format!("@{}", file(&folder, name, npy));
    with(&file("doubles.npy", npy("<f8", "(2,)", &[0; 16])), &["src", "f32", "f8"]);
    with(&file("objects.npy", npy("|O", "(2,)", &[0; 16])), &["src", "objects"]);
    with(&file("empty.npy", npy("<f4", "(0,)", &[])), &["src"]);
    with("random:1:4:u32", &["src", "f32", "u32"]);
    with("list:i32:1,2", &["src", "f32", "i32"]);
    with("zeros:3", &["src", "4", "3"]);
}

#[test]
fn files_that_are_neither_arrays_nor_raw_bytes_are_refused_unless_raw_is_said() {
    let folder = folder("suffixes");
    let kernel = file(&folder, "double.wgsl", DOUBLE);
    let path = |name: &str| folder.join(name).display().to_string();
    let base = ["run", &kernel, "--devices", "cpu", "--workgroups", "1", "--bind", "dst=zeros:16"];
    for name in ["x.csv", "x.npz", "x.TXT"] {
        let data = file(&folder, name, [0; 16]);
        let bind = |source: String| {
            [&base[..], &["--bind", &format!("src={source}")]]
                .concat()
                .iter()
                .map(|s| s.to_string())
                .collect::<Vec<_>>()
        };
        let args = bind(format!("@{data}"));
        fails(
            2,
            &args.iter().map(String::as_str).collect::<Vec<_>>(),
            &["numpy.save", &format!("raw:{data}")],
        );
        let args = bind(format!("raw:{data}"));
        succeeds(&args.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let source = ["--bind", "src=list:f32:1,2,3,4"];
    let csv = path("y.csv");
    fails(2, &[&base[..], &source, &["--out", &format!("dst={csv}")]].concat(), &["raw:"]);
    assert!(!Path::new(&csv).exists());
    succeeds(&[&base[..], &source, &["--out", &format!("dst=raw:{csv}")]].concat());
    assert_eq!(std::fs::read(&csv).expect("an output").len(), 16);
}

#[test]
fn the_help_says_what_the_exit_codes_mean() {
    let text = succeeds(&["--help"]);
    for part in ["Exit codes", "2 wrong usage", "3 check found errors"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn run_warns_of_what_is_surely_out_of_bounds_on_stderr_and_in_the_report() {
    let folder = folder("outside");
    let kernel = file(&folder, "double.wgsl", DOUBLE);
    let base = ["run", &kernel, "--devices", "cpu", "--invocations", "16000"];
    let data = |src: &'static str, dst: &'static str| ["--bind", src, "--bind", dst];
    let short = data("src=random:1:8000:f32", "dst=zeros:16000");
    let outcome = coexec(&[&base[..], &short].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    for part in [
        "`dst` has 4000 elements, and the kernel writes up to element 15999",
        "`src` has 8000 elements, and the kernel reads up to element 15999",
    ] {
        assert!(outcome.out.contains(part) && outcome.err.contains(part), "{}", outcome.err);
    }
    assert_eq!(outcome.err.lines().count(), 2, "{}", outcome.err);
    assert!(outcome.err.contains("coexec check"), "{}", outcome.err);
    let json = coexec(&[&base[..], &short, &["--json"]].concat());
    let value: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(value["warnings"].as_array().map(Vec::len), Some(2), "{value}");
    assert!(value["devices"][0]["engine"].is_string(), "{value}");

    let whole = data("src=random:1:16000:f32", "dst=zeros:64000");
    let outcome = coexec(&[&base[..], &whole].concat());
    assert!(outcome.err.is_empty() && !outcome.out.contains('!'), "{}", outcome.err);
}

#[test]
fn run_says_that_a_barrier_may_not_be_reached_by_all() {
    let folder = folder("divergent");
    let kernel = file(
        &folder,
        "divergent.wgsl",
        "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
         var<workgroup> t: u32;
         @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) l: u32) {
             if l < 32u { t = 1u; workgroupBarrier(); a[l] = t; }
         }",
    );
    let rest = [kernel.as_str(), "--devices", "cpu", "--workgroups", "1", "--bind", "a=zeros:256"];
    let outcome = coexec(&[&["run"][..], &rest].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.err);
    assert!(outcome.err.contains("barrier on line 4") && outcome.err.contains("coexec check"));
    assert_eq!(coexec(&[&["check"][..], &rest].concat()).code, Some(3));
}

#[test]
fn a_check_of_an_endless_loop_ends_soon_and_says_how_to_give_it_more() {
    let folder = folder("endless");
    let kernel = file(
        &folder,
        "endless.wgsl",
        "@group(0) @binding(0) var<storage, read_write> a: array<u32>;
         @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) g: vec3u) {
             while a[g.x] != 1u { a[g.x] += 2u; }
         }",
    );
    let rest = ["--workgroups", "1", "--bind", "a=zeros:4"];
    let begun = std::time::Instant::now();
    fails(
        1,
        &[&["check", &kernel][..], &rest].concat(),
        &["65536 iterations", "--loop-budget", "3 |"],
    );
    eprintln!("an endless loop was checked for {:?}", begun.elapsed());
    assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{:?}", begun.elapsed());
    let more = ["--loop-budget", "1000"];
    fails(1, &[&["check", &kernel][..], &rest, &more].concat(), &["1000 iterations"]);
}

#[test]
fn explain_without_data_shows_the_signature_and_what_to_add() {
    let text = succeeds(&["explain", STENCIL]);
    for part in [
        "kernel `",
        "0:0",
        "src",
        "no barriers",
        "--invocations",
        "--bind dst=zeros:",
        "--set 'grid=",
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    let single = file(&folder("single"), "k.wgsl", "@compute @workgroup_size(1) fn main() {}");
    let text = succeeds(&["explain", &single]);
    assert!(text.contains("1 × 1 × 1 = 1 invocation\n"), "{text}");
    // An incomplete description of a launch is refused with the missing parts.
    fails(2, &["explain", STENCIL, "--invocations", "8,8"], &["3 more bindings"]);
}

#[test]
fn a_set_with_missing_wrong_or_extra_fields_is_refused() {
    let missing = r#"grid={"width":61,"height":47}"#;
    let extra = r#"grid={"width":61,"height":47,"alpha":0.2,"beta":1}"#;
    let wrong = r#"grid={"width":61,"height":-47,"alpha":0.2}"#;
    let list = "grid=[1,2]";
    let broken = r#"grid={"width":61"#;
    for (set, parts) in [
        (missing, vec!["grid", "alpha"]),
        (extra, vec!["beta"]),
        (wrong, vec!["height", "-47"]),
        (list, vec!["grid"]),
        (broken, vec!["grid"]),
    ] {
        let mut args = heat(&["--devices", "cpu"]);
        args[5] = set;
        fails(2, &args, &parts);
    }
}

#[test]
fn failures_exit_with_1_and_leave_no_file_behind() {
    let folder = folder("failures");
    let kernel = file(&folder, "double.wgsl", DOUBLE);
    let broken = file(&folder, "broken.wgsl", "fn main( {");
    let endless = file(
        &folder,
        "endless.wgsl",
        "@group(0) @binding(0) var<storage, read_write> dst: array<f32>;
         @compute @workgroup_size(1)
         fn main() { var x = 1.0; while x > 0.0 { x = x + dst[0]; } dst[0] = x; }",
    );
    let out = folder.join("out.bin").display().to_string();
    let to = format!("dst={out}");
    let base = ["--devices", "cpu", "--workgroups", "1", "--out", &to, "--bind", "dst=zeros:16"];
    let run = |first: &[&str], more: &[&str], parts: &[&str]| {
        let mut args = first.to_vec();
        args.extend(base);
        args.extend(more);
        fails(1, &args, parts);
        assert!(!Path::new(&out).exists(), "{args:?} left a file");
    };
    run(&["run", "nosuch.wgsl"], &[], &["nosuch.wgsl"]);
    run(&["run", &broken], &[], &["broken.wgsl", "fn main( {"]);
    run(&["run", &kernel], &["--bind", "src=@nosuch.npy"], &["src", "nosuch.npy"]);
    let short = file(&folder, "short.npy", b"\x93NUMPY\x01\x00");
    run(&["run", &kernel], &["--bind", &format!("src=@{short}")], &["src", "short.npy"]);
    let text = file(&folder, "text.npy", "not an array at all");
    run(&["run", &kernel], &["--bind", &format!("src=@{text}")], &["src", "text.npy"]);
    run(&["run", &endless], &["--loop-budget", "1000"], &["loop", "1000"]);
    // An unwritable output is an error before the kernel runs.
    let nowhere = folder.join("no/such/folder.bin").display().to_string();
    fails(
        1,
        &[
            "run",
            &kernel,
            "--devices",
            "cpu",
            "--workgroups",
            "1",
            "--bind",
            "src=list:f32:1,2,3,4",
            "--bind",
            "dst=zeros:16",
            "--out",
            &format!("dst={nowhere}"),
        ],
        &["folder.bin"],
    );
}

#[test]
fn a_failed_run_leaves_an_existing_output_as_it_was() {
    let folder = folder("existing");
    let endless = file(
        &folder,
        "endless.wgsl",
        "@group(0) @binding(0) var<storage, read_write> dst: array<f32>;
         @compute @workgroup_size(1)
         fn main() { var x = 1.0; while x > 0.0 { x = x + dst[0]; } dst[0] = x; }",
    );
    let out = file(&folder, "out.bin", "precious");
    fails(
        1,
        &[
            "run",
            &endless,
            "--devices",
            "cpu",
            "--loop-budget",
            "1000",
            "--workgroups",
            "1",
            "--bind",
            "dst=zeros:16",
            "--out",
            &format!("dst={out}"),
        ],
        &["loop"],
    );
    assert_eq!(std::fs::read(&out).expect("still there"), b"precious");
}

/// Needs Linux, whose `/proc` shows when the program has begun to handle Ctrl-C.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_in_the_middle_of_a_kernel_ends_the_program_and_leaves_no_half_written_file() {
    use std::os::unix::process::CommandExt;
    let folder = folder("interrupted");
    let endless = file(
        &folder,
        "long.wgsl",
        "@group(0) @binding(0) var<storage, read_write> dst: array<atomic<u32>>;
         @compute @workgroup_size(1)
         fn main() { while atomicLoad(&dst[1]) == 0u { atomicAdd(&dst[0], 1u); } }",
    );
    let out = file(&folder, "out.bin", "precious");
    let mut command = Command::new(env!("CARGO_BIN_EXE_coexec"));
    command.args(["run", &endless, "--devices", "cpu", "--loop-budget", "1000000000000000"]);
    command.args(["--workgroups", "1", "--bind", "dst=zeros:16", "--out", &format!("dst={out}")]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    // A process group of its own, so that no other process gets the signal.
    let mut child = command.process_group(0).spawn().expect("it starts");
    let status = format!("/proc/{}/status", child.id());
    let field = |name: &str| {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.trim().to_owned()
    };
    let wait_until = |what: &str, holds: &dyn Fn() -> bool| {
        for _ in 0..6000 {
            if holds() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("not within a minute: {what}");
    };
    let handles = || u64::from_str_radix(&field("SigCgt:"), 16).is_ok_and(|set| set & 2 != 0);
    wait_until("Ctrl-C is handled", &handles);
    // The CPU's pool exists, so the kernel runs or is about to run.
    let threads = || field("Threads:").parse::<u32>().is_ok_and(|threads| threads > 2);
    wait_until("the kernel runs", &threads);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(sent.expect("kill is there").success());
    for _ in 0..6000 {
        if child.try_wait().expect("our child").is_some() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let _ = child.kill();
    let outcome = child.wait_with_output().expect("it has ended");
    let err = String::from_utf8_lossy(&outcome.stderr);
    assert_eq!(outcome.status.code(), Some(130), "{err}");
    assert!(err.contains("interrupted; no file was written"), "{err}");
    assert_eq!(std::fs::read(&out).expect("still there"), b"precious");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    names.sort();
    assert_eq!(names, ["long.wgsl", "out.bin"], "no temporary file is left");
}

#[test]
fn generated_code_is_printed_without_a_grid_and_without_data() {
    let folder = folder("listing");
    let path = file(&folder, "double.wgsl", DOUBLE);
    // The environment may name the interpreter, so the engine is given.
    let spmd = ["explain", &path, "--spmd", "--cpu-engine", "cranelift"];
    assert!(succeeds(&spmd).contains("gangs"));
    let forced = |engine| ["explain", &path, "--llvm", "--cpu-engine", engine];
    assert!(succeeds(&forced("cranelift")).contains("block0("), "Cranelift's own form");
    fails(1, &forced("interpreter"), &["interpreter", "no machine code"]);
    let bound = ["explain", &path, "--bind", "src=list:f32:1", "--bind", "dst=zeros:4"];
    fails(2, &bound, &["needs a grid", "--workgroups", "--invocations"]);
}

#[test]
fn an_unknown_engine_in_the_environment_is_refused() {
    let folder = folder("engine");
    let path = file(&folder, "double.wgsl", DOUBLE);
    let args =
        ["run", &path, "--workgroups", "1", "--bind", "src=list:f32:1", "--bind", "dst=zeros:4"];
    let outcome = coexec_with(&args, &[("COEXEC_CACHE_DIR", ""), ("COEXEC_CPU_ENGINE", "magic")]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.err);
    let parts = ["engine `magic`", "COEXEC_CPU_ENGINE", "auto, llvm, cranelift and interpreter"];
    assert!(parts.iter().all(|part| outcome.err.contains(part)), "{}", outcome.err);
}

#[test]
fn a_bench_that_no_memory_has_room_for_is_refused() {
    let huge = ["bench", "transpose", "--devices", "cpu", "--sizes", "16777216"];
    fails(1, &huge, &["transpose of size 16777216", "2097152.0 GiB", "smaller"]);
}

#[test]
fn speeds_of_devices_that_fail_or_are_slow_on_purpose_are_not_kept() {
    let folder = folder("speeds");
    let cache = folder.display().to_string();
    let count = "@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            var sum = id.x;
            for (var i = 0u; i < 1000u; i++) { sum = sum * 1664525u + 1013904223u; }
            dst[id.x] = sum;
        }";
    let kernel = file(&folder, "count.wgsl", count);
    let run = |faults: &str| {
        let args = [
            "run",
            &kernel,
            "--devices",
            "cpu",
            "--bind",
            "dst=zeros:4M",
            "--invocations",
            "1048576",
        ];
        let outcome =
            coexec_with(&args, &[("COEXEC_CACHE_DIR", &cache), ("COEXEC_INJECT", faults)]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.err);
        folder.join("profiles.txt").exists()
    };
    assert!(!run("cpu:oom@2"));
    assert!(run(""));
}

#[test]
fn a_tiny_launch_does_not_leave_its_device_out_of_later_ones() {
    let folder = folder("tiny");
    let cache = folder.display().to_string();
    // It takes some microseconds, its compilation some milliseconds.
    let tiny = "@group(0) @binding(0) var<storage, read_write> a: array<u32, 64>;
        @compute @workgroup_size(1) fn main() {
            for (var i = 0u; i < 64u; i++) {
                var x = a[i];
                for (var k = 0u; k < 8u; k++) { x = (x ^ (x >> 3u)) * 2654435761u + k; }
                a[i] = x;
            }
        }";
    let tiny = file(&folder, "tiny.wgsl", tiny);
    let large = "@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            var sum = id.x;
            for (var i = 0u; i < 1000u; i++) { sum = sum * 1664525u + 1013904223u; }
            dst[id.x] = sum;
        }";
    let large = file(&folder, "large.wgsl", large);
    let run = |args: &[&str]| {
        let all = [&["run", "--json", "--devices", "virtual:2:cpu"], args].concat();
        let outcome = coexec_with(&all, &[("COEXEC_CACHE_DIR", &cache)]);
        assert_eq!(outcome.code, Some(0), "{}", outcome.err);
        serde_json::from_str::<serde_json::Value>(&outcome.out).expect("JSON")
    };
    run(&[&tiny, "--workgroups", "1", "--bind", "a=zeros:256"]);
    // On a busy machine, the thread of one device may start after the other has done all the work.
    let both = |_| {
        let report = run(&[&large, "--invocations", "1048576", "--bind", "dst=zeros:4M"]);
        let devices = report["devices"].as_array().expect("a list");
        devices.iter().all(|device| device["share"].as_f64().is_some_and(|share| share > 0.1))
    };
    assert!((0..3).any(both));
}

#[test]
fn a_verified_run_says_how_much_was_compared_in_text_and_json() {
    let folder = folder("verified");
    let kernel = file(&folder, "double.wgsl", DOUBLE);
    let args = ["run", &kernel, "--devices", "cpu", "--verify", "1", "--tolerance", "1e-6,1e-5,3"];
    let data = ["--workgroups", "4", "--bind", "src=random:1:16:f32", "--bind", "dst=zeros:64"];
    let args = [&args[..], &data].concat();
    let text = succeeds(&args);
    assert!(text.contains("verified 4 workgroups: 4 of cpu by the CPU's interpreter"), "{text}");
    let value = succeeds(&[&args[..], &["--json"]].concat());
    let value: serde_json::Value = serde_json::from_str(&value).expect("JSON");
    let verified = &value["verified"];
    assert_eq!((&verified["workgroups"], &verified["disputes"]), (&4.into(), &0.into()), "{value}");
    assert!(verified["not_done"].is_null(), "{value}");
    let within = verified["within"].as_str().expect("words");
    assert!(within.ends_with("integers within 3"), "{within}");
    fails(2, &["run", &kernel, "--tolerance", "1,2,x"], &["1e-6,1e-5,4"]);
}

#[test]
fn explain_says_what_a_band_of_the_stencil_reads_and_writes() {
    let mut args = heat(&["--devices", "cpu", "--chunks", "4"]);
    args[0] = "explain";
    let text = succeeds(&args);
    assert!(text.contains("1 more row of 61 on each side"), "{text}");
    assert!(text.contains("writes its own 12 rows"), "{text}");
}

const REDUCE: &str = "@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;
var<workgroup> part: array<f32, 32>;
@compute @workgroup_size(32)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    part[l] = src[group.x * 32u + l];
    workgroupBarrier();
    for (var half = 16u; half > 0u; half /= 2u) {
        if l < half {
            part[l] += part[l + half];
        }
        //+ workgroupBarrier();
    }
    if l == 0u { dst[group.x] = part[0]; }
}
";

#[test]
fn check_shows_both_sides_of_a_missing_barrier_and_exits_with_3() {
    let folder = folder("check");
    let data = ["--workgroups", "2", "--bind", "src=random:1:64:f32", "--bind", "dst=zeros:8"];
    let with = |kernel: &str, more: &[&str]| {
        let mut args = vec!["check", kernel];
        args.extend(data);
        args.extend(more);
        coexec(&args)
    };
    let bad = file(&folder, "reduce.wgsl", REDUCE);
    let found = with(&bad, &[]);
    assert_eq!(found.code, Some(3), "{}{}", found.out, found.err);
    assert_eq!(found.err, "");
    for part in [
        "error[race-in-workgroup]",
        "reduce.wgsl:10:24",
        "reduce.wgsl:10:13",
        "`part[",
        "read by invocation (",
        "written by invocation (",
        "no workgroupBarrier()",
        "1 error in 2 workgroups",
    ] {
        assert!(found.out.contains(part), "no {part:?} in:\n{}", found.out);
    }
    let found = with(&bad, &["--json"]);
    assert_eq!(found.code, Some(3));
    let json: serde_json::Value = serde_json::from_str(&found.out).expect("JSON");
    let finding = &json["findings"][0];
    assert_eq!(finding["rule"], "race-in-workgroup");
    assert_eq!(finding["first"]["line"], 10);
    assert_eq!(finding["second"]["line"], 10);
    assert_ne!(finding["first"]["local_invocation_id"], finding["second"]["local_invocation_id"]);

    let good = file(&folder, "mended.wgsl", REDUCE.replace("//+ ", ""));
    let clean = with(&good, &["--lint"]);
    assert_eq!((clean.code, clean.out.as_str()), (Some(0), "no errors in 2 workgroups\n"));
}

#[test]
fn check_tells_which_races_cross_a_cut() {
    let folder = folder("check-cut");
    let kernel = file(
        &folder,
        "next.wgsl",
        "@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
         @compute @workgroup_size(1) fn main(@builtin(workgroup_id) id: vec3<u32>) {
             dst[id.x] = id.x;
             dst[id.x + 1u] = id.x;
         }",
    );
    let args = [
        "check",
        &kernel,
        "--workgroups",
        "8",
        "--bind",
        "dst=zeros:36",
        "--chunks",
        "2",
        "--json",
    ];
    let found = coexec(&args);
    assert_eq!(found.code, Some(3), "{}{}", found.out, found.err);
    let json: serde_json::Value = serde_json::from_str(&found.out).expect("JSON");
    // One of the seven borders between neighbours lies between the chunks.
    assert_eq!(json["findings"][0]["count"], 7);
    assert_eq!(json["findings"][0]["across_chunks"], 1);
}

#[test]
fn devices_lists_the_cpu_and_every_adapter() {
    let text = succeeds(&["devices", "--no-measure"]);
    assert!(text.contains("cpu"), "{text}");
    for id in engines::gpu_ids() {
        assert!(text.contains(&id), "no {id} in:\n{text}");
    }
    let json: serde_json::Value =
        serde_json::from_str(&succeeds(&["devices", "--no-measure", "--json"])).expect("JSON");
    assert!(!json.is_null());
}

/// Every libLLVM of the machine, with its major version.
fn libllvms() -> Vec<(u32, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"]
            .map(PathBuf::from)
            .into();
    if let Ok(output) = Command::new("rustc").args(["--print", "sysroot"]).output() {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        folders.push(Path::new(&sysroot).join("lib"));
    }
    let entries = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // libLLVM-15.so.1, libLLVM.so.22.1-rust-1.95.0-stable
        let rest = name.strip_prefix("libLLVM").filter(|rest| rest.contains(".so")).unwrap_or("");
        let digits = rest.trim_start_matches("-").trim_start_matches(".so.");
        let major = digits.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
        if let Ok(major) = major.parse()
            && major >= 15
            && found.iter().all(|(known, _)| *known != major)
        {
            found.push((major, path.display().to_string()));
        }
    }
    found
}

#[test]
fn every_libllvm_of_the_machine_compiles_kernels_and_the_required_ones_are_there() {
    let found = libllvms();
    let required = std::env::var("COEXEC_REQUIRE_LLVM").unwrap_or_default();
    for version in required.split(',').filter(|version| !version.is_empty()) {
        let version: u32 = version.trim().parse().expect("COEXEC_REQUIRE_LLVM=15,22");
        assert!(found.iter().any(|(v, _)| *v == version), "libLLVM {version} is not in {found:?}");
    }
    let grid = r#"grid={"width":100,"height":61,"alpha":0.2}"#;
    let run = |engine: &str, library: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_coexec"))
            .env("COEXEC_LIBLLVM", library)
            .env_remove("COEXEC_CPU_ENGINE")
            .args(["run", STENCIL, "--invocations", "100,61", "--set", grid])
            .args(["--bind", "src=random:1:6100:f32", "--bind", "dst=zeros:24400"])
            .args(["--devices", "cpu", "--cpu-engine", engine])
            .output()
            .expect("it starts");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    for (version, path) in &found {
        let (code, out, err) = run("llvm", path);
        assert_eq!(code, Some(0), "LLVM {version}: {err}");
        assert!(out.contains(&format!("LLVM {version}")), "{version} did not run:\n{out}");
    }
    // A forced engine never falls back to another. An unforced engine does, with a message.
    let (code, _, err) = run("llvm", "/no/such/library");
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("/no/such/library"), "{err}");
    let (code, out, err) = run("auto", "/no/such/library");
    assert_eq!(code, Some(0), "{err}");
    assert!(!out.contains("LLVM") && out.contains("cranelift"), "{out}");
}
