//! Random race-free kernels, compared between engines, devices and cuttings.
//!
//! Every cutting of one device gives the same bits, and so do all engines of the CPU, except for the
//! payload of NaNs. Between the CPU and a GPU, integers and floats that are exact by construction
//! are equal to the bit, except for the sign of zero; approximate floats agree within [`TOLERANCE`].
//! Check mode finds no race in any kernel.
//!
//! `COEXEC_DIFF_SEEDS=1000..2000` runs other seeds than the few of a normal test run,
//! `COEXEC_DIFF_PRINT=1` prints each kernel. A run of hours that compares the engines:
//!
//!     COEXEC_DIFF_SEEDS=0..100000 cargo test --test differential on_every_engine -- --nocapture
//!
//! It reports failing seeds at once, and its progress now and then. Seeds are independent, so
//! several processes may run ranges of them side by side.

#[path = "../case/mod.rs"]
mod case;
#[path = "../engines/mod.rs"]
mod engines;
mod generator;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use case::{Case, Outputs};
use engines::Setup;

/// The allowed difference of approximate floats. WGSL grants sine and cosine an error of 2^-11 each,
/// and errors add up along an expression.
const TOLERANCE: f32 = 4e-3;

/// Seeds outside of the usual range that found a bug. 5001: a masked-off lane divided by an undefined
/// value, and LLVM's code trapped. 1136: a gather with undefined indices in masked-off lanes, for
/// which LLVM 22 emitted an instruction that no processor has.
const FOUND_BUGS: [u64; 2] = [1136, 5001];

fn seeds(usual: u64) -> impl Iterator<Item = u64> {
    let asked = asked_seeds();
    let kept: &[u64] = if asked.is_none() { &FOUND_BUGS } else { &[] };
    asked.unwrap_or(0..usual).chain(kept.iter().copied())
}

/// The seeds in the environment, if any.
fn asked_seeds() -> Option<Range<u64>> {
    match std::env::var("COEXEC_DIFF_SEEDS") {
        Err(_) => None,
        Ok(text) => {
            let bounds = text
                .split_once("..")
                .and_then(|(from, to)| Some(from.trim().parse().ok()?..to.trim().parse().ok()?));
            let one = || text.trim().parse().ok().map(|n| n..n + 1);
            Some(bounds.or_else(one).unwrap_or_else(|| {
                panic!("COEXEC_DIFF_SEEDS={text}: write one seed, or a range such as 100..200")
            }))
        }
    }
}

fn launch(case: &Case, setup: &Setup) -> Result<(Outputs, u32), String> {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let kernel = case.kernel()?;
        case.launch(&kernel, &setup.runtime, setup.chunks)
    }));
    let (outputs, report) =
        result.map_err(|_| "panicked".to_owned())?.map_err(|error| error.to_string())?;
    Ok((outputs, report.devices.iter().map(|device| device.chunks).sum()))
}

#[derive(Default)]
struct Run {
    /// The number of launches that were asked for two or more chunks.
    asked: u32,
    /// The number of those that ran in two or more.
    split: u32,
}

impl Run {
    fn must_have_split(&self) {
        eprintln!("{} of {} launches that were asked to split did", self.split, self.asked);
        // No launch of chosen seeds may be splittable.
        let usual = std::env::var_os("COEXEC_DIFF_SEEDS").is_none();
        assert!(
            !usual || 4 * self.split > self.asked,
            "{} of {} launches split: too few for this test to mean much",
            self.split,
            self.asked
        );
    }
}

/// The outputs of the case, if every cutting gives the same.
fn same_under_every_cutting(
    case: &Case,
    setups: &[Setup],
    run: &mut Run,
) -> Result<Outputs, String> {
    let mut first: Option<Outputs> = None;
    for setup in setups {
        let (outputs, chunks) =
            launch(case, setup).map_err(|error| format!("[{}] {error}", setup.label))?;
        if setup.chunks.is_some_and(|n| n > 1) {
            run.asked += 1;
            run.split += u32::from(chunks > 1);
        }
        match &first {
            None => first = Some(outputs),
            Some(first) => {
                if let Some(difference) = case.difference(first, &outputs) {
                    return Err(format!("[{}] {difference}", setup.label));
                }
            }
        }
    }
    first.ok_or_else(|| "no setup".to_owned())
}

/// The first output of a GPU that differs from the CPU's by more than the tolerance.
fn disagreement(cpu: &Outputs, gpu: &Outputs) -> Option<String> {
    for ((name, a), (_, b)) in cpu.iter().zip(gpu) {
        for (index, (a, b)) in a.chunks_exact(4).zip(b.chunks_exact(4)).enumerate() {
            let bits = |bytes: &[u8]| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            let (a, b) = (bits(a), bits(b));
            let (fa, fb) = (f32::from_bits(a), f32::from_bits(b));
            let right = match name.as_str() {
                "out_a" => (fa - fb).abs() <= TOLERANCE,
                "out_e" => a == b || (fa == 0.0 && fb == 0.0),
                _ => a == b,
            };
            if !right {
                let shown = if name.starts_with("out_e") || name.starts_with("out_a") {
                    format!("{fa:?} and {fb:?}")
                } else {
                    format!("{a} and {b}")
                };
                return Some(format!("{name}[{index}] is {shown}"));
            }
        }
    }
    None
}

/// The first output in which two engines differ. All NaNs are equal, because WGSL leaves the payload
/// open.
fn engines_differ(one: &Outputs, two: &Outputs) -> Option<String> {
    for ((name, a), (_, b)) in one.iter().zip(two) {
        let half = name == "out_h";
        let nan = |bits: u32| match half {
            true => bits & 0x7c00 == 0x7c00 && bits & 0x3ff != 0,
            false => f32::from_bits(bits).is_nan(),
        };
        let float = half || matches!(name.as_str(), "out_e" | "out_a" | "out_w");
        let size = if half { 2 } else { 4 };
        for (index, (a, b)) in a.chunks_exact(size).zip(b.chunks_exact(size)).enumerate() {
            let bits = |bytes: &[u8]| {
                bytes.iter().rev().fold(0u32, |bits, &byte| bits << 8 | u32::from(byte))
            };
            let (a, b) = (bits(a), bits(b));
            if a != b && !(float && nan(a) && nan(b)) {
                return Some(format!("{name}[{index}] is {a:#x} and {b:#x}"));
            }
        }
    }
    None
}

fn run_seeds(usual: u64, mut check: impl FnMut(&Case, bool) -> Result<(), String>) {
    let mut failures = Vec::new();
    let mut kept = String::new();
    for seed in seeds(usual) {
        let kernel = generator::generate(seed);
        if std::env::var_os("COEXEC_DIFF_PRINT").is_some() {
            println!("{}", kernel.text);
        }
        let case = Case::parse_inputs(&format!("seed {seed}"), &kernel.text)
            .unwrap_or_else(|error| panic!("{error}"));
        if let Err(failure) = check(&case, kernel.cpu_only) {
            // Reported at once too, because a run of hours may be stopped early.
            eprintln!("seed {seed}: {failure}");
            failures.push(format!("seed {seed}: {failure}"));
            if kept.is_empty() {
                kept = kernel.text;
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} seeds failed:\n{}\n\nThe first failing kernel; keep it, with what it should give, \
         in tests/filetests/:\n\n{kept}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn every_generated_kernel_is_accepted() {
    run_seeds(300, |case, _| {
        let built = catch_unwind(AssertUnwindSafe(|| case.kernel()));
        match built {
            Err(_) => Err("panicked".to_owned()),
            Ok(kernel) => kernel.map(drop).map_err(|error| error.to_string()),
        }
    });
}

#[test]
fn random_kernels_give_the_same_bits_with_every_engine_of_the_cpu_however_they_are_cut() {
    for setups in engines::cpus() {
        let mut run = Run::default();
        run_seeds(40, |case, _| same_under_every_cutting(case, &setups, &mut run).map(drop));
        run.must_have_split();
    }
}

#[test]
fn random_kernels_give_the_same_bits_on_every_engine_of_the_cpu() {
    let engines = engines::every_cpu_engine();
    let mut ran = 0u64;
    run_seeds(80, |case, _| {
        ran += 1;
        if ran.is_multiple_of(500) {
            eprintln!("{ran} kernels, the last of {}", case.name);
        }
        let (first, others) = engines.split_first().ok_or("no engine")?;
        let (expected, _) = launch(case, first)?;
        for other in others {
            let (found, _) =
                launch(case, other).map_err(|error| format!("[{}] {error}", other.label))?;
            if let Some(difference) = engines_differ(&expected, &found) {
                return Err(format!("{} and {}: {difference}", first.label, other.label));
            }
        }
        Ok(())
    });
}

#[test]
fn random_kernels_give_the_same_bits_on_a_gpu_however_they_are_cut() {
    for setups in engines::gpus("random kernels cut on the GPU") {
        let mut run = Run::default();
        run_seeds(20, |case, cpu_only| {
            if cpu_only {
                Ok(())
            } else {
                same_under_every_cutting(case, &setups, &mut run).map(drop)
            }
        });
        run.must_have_split();
    }
}

#[test]
fn random_kernels_agree_between_the_cpu_and_every_gpu() {
    for gpu in engines::gpus("random kernels on the CPU and the GPU") {
        let cpu = &engines::cpus()[0];
        run_seeds(60, |case, cpu_only| {
            if cpu_only {
                return Ok(());
            }
            let (expected, _) = launch(case, &cpu[0])?;
            let (found, _) = launch(case, &gpu[0])?;
            match disagreement(&expected, &found) {
                Some(difference) => Err(format!("CPU and {}: {difference}", gpu[0].label)),
                None => Ok(()),
            }
        });
    }
}

#[test]
fn check_finds_no_race_in_random_kernels_and_divergent_barriers_only_where_they_are() {
    let runtime = coexec::Runtime::builder().devices("cpu").build().expect("the CPU");
    run_seeds(100, |case, cpu_only| {
        let kernel = case.kernel().map_err(|error| error.to_string())?;
        let (launch, _buffers) = case.describe(&kernel, &runtime);
        let found = launch.check().map_err(|error| error.to_string())?;
        // CPU-only kernels may have barriers in divergent control flow.
        let wrong = |f: &&coexec::Finding| match f.rule {
            coexec::Rule::OutOfBounds => false,
            coexec::Rule::DivergentBarrier => !cpu_only,
            // Subgroup operations are anywhere in kernels. Their results are defined for the
            // invocations that reach them.
            coexec::Rule::DivergentSubgroup => false,
            _ => true,
        };
        match found.findings.iter().find(wrong) {
            Some(finding) => Err(finding.to_string()),
            None => Ok(()),
        }
    });
}

#[test]
fn a_wrong_bit_is_noticed() {
    let of = |name: &str, bits: u32| vec![(name.to_owned(), bits.to_le_bytes().to_vec())];
    let differ = |name: &str, a: u32, b: u32| disagreement(&of(name, a), &of(name, b)).is_some();
    assert!(differ("out_u", 1, 2) && !differ("out_u", 2, 2));
    assert!(differ("out_e", 0x3f80_0000, 0x3f80_0001) && !differ("out_e", 0, 0x8000_0000));
    assert!(
        differ("out_a", 0x3f80_0000, 0x3f90_0000) && !differ("out_a", 0x3f80_0000, 0x3f80_0009)
    );
    assert!(differ("out_a", 0x7fc0_0000, 0x3f80_0000), "NaN is near nothing");
    let engines = |name: &str, a: u32, b: u32| engines_differ(&of(name, a), &of(name, b)).is_some();
    assert!(
        engines("out_a", 0x3f80_0000, 0x3f80_0001) && engines("out_u", 0x7fc0_0000, 0x7fc0_0001)
    );
    assert!(engines("out_w", 0, 0x8000_0000) && !engines("out_w", 0x7fc0_0000, 0x7fc0_0001));
    assert!(engines("out_h", 0x3c00, 0x3c01) && !engines("out_h", 0x7e00_3c00, 0xfe01_3c00));
    let seed = generator::generate(1).text;
    let case = Case::parse_inputs("seed 1", &seed).expect("a case");
    assert!(case.difference(&of("out_u", 1), &of("out_u", 2)).is_some());
    assert!(case.difference(&of("out_u", 1), &of("out_u", 1)).is_none());
}
