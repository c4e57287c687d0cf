//! Every kernel of `kernels/` on every engine, unsplit and split, against a plain Rust definition
//! (`reference`), within the tolerance in the kernel's top comment.

#[path = "../engines/mod.rs"]
mod engines;
mod reference;

use std::path::Path;

use coexec::{Buffer, Kernel};
use engines::Setup;
use reference::{CASES, Grid, Job, Tolerance};

/// The approximate number of checked elements of a large output.
const SAMPLE: usize = 1 << 16;

fn text_of(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("kernels/{name}.wgsl"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

type Outputs = Vec<(String, Vec<u8>)>;

fn run(kernel: &Kernel, job: &Job, setup: &Setup) -> Result<Outputs, String> {
    let buffers: Vec<_> =
        job.buffers.iter().map(|(name, bytes)| (*name, Buffer::<u8>::from_slice(bytes))).collect();
    let mut launch = setup.runtime.launch(kernel);
    for (name, bytes) in &job.uniforms {
        launch = launch.set_bytes(name, bytes.clone());
    }
    for (name, buffer) in &buffers {
        launch = launch.bind(name, buffer);
    }
    launch = match job.grid {
        Grid::Invocations(count) => launch.invocations(count.map(u64::from)),
        Grid::Workgroups(count) => launch.workgroups(count.map(u64::from)),
    };
    if let Some(chunks) = setup.chunks {
        launch = launch.chunks(chunks);
    }
    launch.run().map_err(|error| error.to_string())?;
    buffers
        .iter()
        .map(|(name, buffer)| {
            let bytes = buffer.to_vec().map_err(|error| error.to_string())?;
            Ok(((*name).to_owned(), bytes))
        })
        .collect()
}

fn check_all(setups: &[Setup]) {
    let mut failures = Vec::new();
    for case in CASES {
        let text = text_of(case.name);
        let tolerance = Tolerance::stated_by(&text)
            .unwrap_or_else(|| panic!("{} states no tolerance", case.name));
        let kernel = Kernel::from_wgsl(&text).unwrap_or_else(|e| panic!("{}: {e}", case.name));
        for job in (case.awkward)() {
            let mut first: Option<Outputs> = None;
            for setup in setups {
                let at = format!("{}, {}, [{}]", case.name, job.shape, setup.label);
                let found = match run(&kernel, &job, setup) {
                    Ok(found) => found,
                    Err(error) => {
                        failures.push(format!("{at}: {error}"));
                        break;
                    }
                };
                for output in &job.outputs {
                    let bytes = found.iter().find(|(name, _)| name == output.name);
                    let (_, bytes) = bytes.expect("an output is a buffer of the job");
                    if let Err(error) = output.check(bytes, tolerance, SAMPLE) {
                        failures.push(format!("{at}: {error}"));
                    }
                }
                match &first {
                    None => first = Some(found),
                    Some(first) if *first != found => {
                        failures.push(format!("{at}: other bits than unsplit"));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_file_of_kernels_has_a_definition() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .expect("the folder of kernels")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let mut defined: Vec<String> = CASES.iter().map(|case| format!("{}.wgsl", case.name)).collect();
    defined.sort();
    assert_eq!(files, defined);
}

#[test]
fn every_kernel_is_right_with_every_engine_of_the_cpu_however_it_is_cut() {
    for setups in engines::cpus() {
        check_all(&setups);
    }
}

#[test]
fn every_kernel_is_right_on_every_gpu_however_it_is_cut() {
    for setups in engines::gpus("the kernels on the GPU") {
        check_all(&setups);
    }
}
