//! Every kernel of `filetests/` on every engine, unsplit and split, against the expected outputs in
//! its comments. `filetests/README.md` documents the comments.
//!
//! `COEXEC_FILETEST=word cargo test --test filetests` runs only the files with that word in their
//! path.

mod case;
mod engines;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use case::Case;
use engines::{Class, Setup};

fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the folder of filetests") {
            let path = entry.expect("an entry of it").path();
            if path.is_dir() {
                // Kernels with bugs are for `check` (tests/check.rs).
                if !path.ends_with("filetests/check") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|e| e == "wgsl") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn cases() -> Vec<Case> {
    let only = std::env::var("COEXEC_FILETEST").ok();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/filetests");
    let cases: Vec<Case> = files()
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).expect("a filetest");
            let name =
                path.strip_prefix(&root).unwrap_or(path).to_string_lossy().replace('\\', "/");
            Case::parse(&name, &text).unwrap_or_else(|error| panic!("{error}"))
        })
        .filter(|case| only.as_ref().is_none_or(|word| case.name.contains(word.as_str())))
        .collect();
    assert!(!cases.is_empty(), "no filetest is called so");
    cases
}

/// Runs one case under every cutting of one device. The error lists the wrong results.
fn run_case(case: &Case, setups: &[Setup]) -> Result<(), String> {
    let mut unsplit = None;
    for setup in setups {
        let outputs = catch_unwind(AssertUnwindSafe(|| case.check(setup)))
            .unwrap_or_else(|_| Err("panicked".to_owned()))
            .map_err(|error| format!("{} [{}]\n{error}", case.name, setup.label))?;
        match &unsplit {
            None => unsplit = Some(outputs),
            Some(first) => {
                if let Some(difference) = case.difference(first, &outputs) {
                    return Err(format!("{} [{}]\n{difference}", case.name, setup.label));
                }
            }
        }
    }
    Ok(())
}

fn run_all(setups: &[Setup]) {
    let mut failures = Vec::new();
    let mut ran = 0;
    for case in cases() {
        if let (Some(reason), Class::Gpu) = (&case.only_cpu, setups[0].class) {
            eprintln!("{} is for the CPU only: {reason}", case.name);
            continue;
        }
        ran += 1;
        if let Err(failure) = run_case(&case, setups) {
            failures.push(failure);
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {ran} filetests failed:\n\n{}\n",
        failures.len(),
        failures.join("\n\n")
    );
    eprintln!("{ran} filetests on {} setups of {}", setups.len(), setups[0].label);
}

#[test]
fn every_file_holds_with_every_engine_of_the_cpu_however_it_is_cut() {
    for setups in engines::cpus() {
        run_all(&setups);
    }
}

#[test]
fn every_file_holds_on_every_gpu_however_it_is_cut() {
    for setups in engines::gpus("filetests on the GPU") {
        run_all(&setups);
    }
}

#[test]
fn a_wrong_value_a_wrong_cut_and_a_missing_error_are_noticed() {
    let kernel = "@group(0) @binding(0) var<storage, read_write> dst: array<f32>;
        @compute @workgroup_size(1) fn main() { dst[0] = 1.0; }";
    let setup = &engines::cpus()[0][2];
    let check = |lines: &str| {
        let text = format!("//! workgroups 2\n//! zeros dst f32 2\n{lines}\n{kernel}");
        Case::parse("here", &text).expect("a case").check(setup).map(drop)
    };
    assert_eq!(check("//! expect dst f32 1 0"), Ok(()));
    assert_eq!(check("//! expect dst f32 1|2 _\n//! split"), Ok(()));
    assert_eq!(check("//! expect dst f32 1.001 0\n//! tolerance 0 1e-2"), Ok(()));
    for wrong in [
        "//! expect dst f32 1 1",
        "//! expect dst f32 1",
        "//! expect dst f32 1 0 0",
        "//! expect dst f32 nan 0",
        "//! expect dst f32 1.001 0\n//! tolerance 0 1e-4",
        "//! expect dst f32 0x3f800002 0\n//! ulps 1",
        "//! expect dst f32 1 -0",
        "//! expect dst f32 1 0\n//! whole",
        "//! expect src f32 1 0",
        "//! error \"anything\"",
    ] {
        assert!(check(wrong).is_err(), "{wrong}");
    }
    for unread in ["", "//! expext dst f32 1 0", "//! expect dst f23 1 0", "//! only cpu:"] {
        let text = format!("{unread}\n{kernel}");
        assert!(Case::parse("here", &text).is_err(), "{unread}");
    }
}
