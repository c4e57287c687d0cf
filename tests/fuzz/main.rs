//! Fuzzing with an oracle. For any kernel text, buffer sizes and grid, there is no panic and no hang,
//! and every engine of the CPU gives the interpreter's bits, split or not.
//!
//! The number of an execution determines it: `COEXEC_FUZZ_FROM=4711 COEXEC_FUZZ=1` repeats one.
//! `COEXEC_FUZZ=1000000 cargo test --release --test fuzz -- --nocapture` runs for long. Launches that
//! take the interpreter long, or that have a race in check mode, are not compared. LLVM takes longer
//! than everything else, so it runs only one of `COEXEC_FUZZ_LLVM` (6) compared kernels, at random.

mod executions;
// The fuzzers run on the CPU only, and do not use `cpu_only`.
#[allow(dead_code)]
#[path = "../differential/generator/mod.rs"]
mod generator;
mod input;
mod texts;

use std::time::{Duration, Instant};

use coexec::{Engine, Error, FailureKind, Kernel, Rule, Runtime, ScalarType, Space};
use executions::{Random, executions, number};
use input::Input;
use texts::{mutated, texts};

/// Asserts that an error is no bug of coexec, such as a panic.
fn must_not_be_a_bug(error: &Error, text: &str) {
    let bug = match error {
        Error::Internal { .. } => true,
        Error::Device { kind, .. } => *kind == FailureKind::Panicked,
        Error::NoDevice { causes, .. } => causes.iter().any(|cause| cause.contains("panicked")),
        _ => false,
    };
    assert!(!bug, "{error}\n{text}");
}

/// The first scalar that differs; NaNs are equal.
fn difference(input: &Input, a: &[Vec<u8>], b: &[Vec<u8>]) -> Option<String> {
    let storage = input.kernel.signature().bindings.iter().filter(|b| b.space.is_storage());
    for ((binding, a), b) in storage.zip(a).zip(b) {
        if binding.space != Space::StorageWrite || a == b {
            continue;
        }
        let nan = |bytes: &[u8], at: usize| {
            let word = [0, 1, 2, 3].map(|i| bytes.get(at / 4 * 4 + i).copied().unwrap_or(0));
            let halves = [[word[0], word[1]], [word[2], word[3]]];
            let half = halves[at % 4 / 2];
            f32::from_le_bytes(word).is_nan() || (u16::from_le_bytes(half) & 0x7FFF) > 0x7C00
        };
        let floats = |list: &[(u64, ScalarType)]| {
            list.iter().any(|(_, scalar)| matches!(scalar, ScalarType::F32 | ScalarType::F16))
        };
        // An integer with a NaN's bits may be a NaN that was bitcast, so it counts as one too.
        let may = floats(binding.element_scalars()) || floats(binding.header_scalars());
        let differs = |&at: &usize| a[at] != b[at] && !(may && nan(a, at) && nan(b, at));
        if let Some(at) = (0..a.len()).find(differs) {
            return Some(format!("`{}`, byte {at}: {:#x} and {:#x}", binding.name, a[at], b[at]));
        }
    }
    None
}

/// The interpreter's time limit for an unsplit launch. It decides which launches are compared only.
const SHORT: Duration = Duration::from_millis(30);
/// A launch that takes this long hangs, since the interpreter ran it within `SHORT`.
const LONG: Duration = Duration::from_secs(120);

/// The stages of an execution, which are counted and timed.
const STAGES: [&str; 9] = [
    "valid",
    "small enough",
    "run by the oracle",
    "without a race",
    "split",
    "cranelift",
    "llvm",
    "in another order",
    "all",
];

/// The runtimes of one thread, and its statistics.
struct Stage {
    oracle: Runtime,
    others: Vec<(Engine, Runtime)>,
    split: Runtime,
    llvm: usize,
    reached: [(u64, Duration); STAGES.len()],
}

impl Stage {
    fn new() -> Stage {
        let built = |devices: &str, engine: Engine| {
            let builder = Runtime::builder().devices(devices).cpu_engine(engine);
            builder.threads(1).inject("").build()
        };
        let engine = |name: &str| {
            let engine: Engine = name.parse().unwrap();
            built("cpu", engine).ok().map(|runtime| (engine, runtime))
        };
        Stage {
            oracle: built("cpu", Engine::Interpreter).expect("it is always there"),
            others: ["cranelift", "llvm"].into_iter().filter_map(engine).collect(),
            split: built("virtual:2:cpu", Engine::Interpreter).expect("it is always there"),
            llvm: number("COEXEC_FUZZ_LLVM", 6) as usize,
            reached: Default::default(),
        }
    }

    /// Counts an execution that has reached a stage, and adds the time since the previous one.
    fn reach(&mut self, name: &str, since: &mut Instant) {
        let at = STAGES.iter().position(|stage| *stage == name).expect("a stage");
        let now = Instant::now();
        self.reached[at].0 += 1;
        self.reached[at].1 += now - *since;
        *since = now;
    }
}

fn sum_up(fuzzer: &str, stages: &[Stage]) -> u64 {
    let total = |at: usize| {
        let all = stages.iter().map(|stage| stage.reached[at]);
        all.fold((0, Duration::ZERO), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    };
    let told: Vec<String> = (0..STAGES.len())
        .map(|at| (STAGES[at], total(at)))
        .map(|(stage, (count, time))| format!("{stage}: {count} ({:.1} s)", time.as_secs_f64()))
        .collect();
    eprintln!("{fuzzer}: {}", told.join(", "));
    total(0).0
}

/// Whether a finding makes results depend on timing. The other rules leave them defined.
fn is_race(rule: Rule) -> bool {
    matches!(rule, Rule::RaceInWorkgroup | Rule::RaceAcrossWorkgroups)
}

/// Whether results may depend on the order of atomic updates by the invocations of a workgroup, in
/// which engines differ: the kernel uses a result of an atomic, or has several operators. It errs
/// towards true.
fn order_may_show(text: &str) -> bool {
    let calls = text.match_indices("atomic").filter_map(|(at, word)| {
        let rest = &text[at + word.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let name = &rest[..end];
        name.starts_with(|c: char| c.is_uppercase()).then(|| (&text[..at], name))
    });
    let mut operator = None;
    for (before, name) in calls {
        let alone = before.trim_end().ends_with([';', '{', '}', ')']);
        let same = *operator.get_or_insert(name) == name;
        if !alone || !same || ["Load", "Exchange", "CompareExchangeWeak"].contains(&name) {
            return true;
        }
    }
    false
}

#[test]
fn only_where_updates_may_show_their_order_are_engines_free() {
    assert!(!order_may_show(
        "x: atomic<u32>; main() { atomicAdd(&a, 1u); if b { atomicAdd(&c, 2u); } }"
    ));
    assert!(order_may_show("{ let ticket = atomicAdd(&a, 1u); }"));
    assert!(order_may_show("{ atomicAdd(&a, 1u); atomicMax(&a, 7u); }"));
    assert!(order_may_show("{ atomicAdd(&a, 1u); barrier(); b = atomicLoad(&a); }"));
}

/// Runs an input on every engine, and compares the results if they are defined.
fn compare(random: &mut Random, input: &Input, stage: &mut Stage, text: &str) {
    let mut since = Instant::now();
    let wanted = match input.run(&stage.oracle, 1, SHORT) {
        Some(Ok(wanted)) => wanted,
        Some(Err(error)) => return must_not_be_a_bug(&error, text),
        None => return,
    };
    stage.reach("run by the oracle", &mut since);
    match input.launch(&stage.oracle).0.check() {
        Ok(found) if found.findings.iter().any(|finding| is_race(finding.rule)) => return,
        Ok(_) => {}
        Err(error) => return must_not_be_a_bug(&error, text),
    }
    stage.reach("without a race", &mut since);
    match input.run(&stage.split, 2 + random.below(5) as u32, LONG) {
        None => panic!("the split launch does not come to an end\n{text}"),
        Some(Err(error)) => panic!("split: {error}\n{text}"),
        Some(Ok(got)) => {
            let differs = difference(input, &wanted, &got);
            assert!(differs.is_none(), "split: {}\n{text}", differs.unwrap_or_default());
        }
    }
    stage.reach("split", &mut since);
    for (engine, rt) in stage.others.clone() {
        let engine = engine.to_string();
        if engine == "llvm" && !random.one_in(stage.llvm) {
            continue;
        }
        match input.run(&rt, 1, LONG) {
            None => panic!("{engine} does not come to an end\n{text}"),
            // Engines count loop iterations differently.
            Some(Err(Error::EndlessLoop { .. })) => {}
            Some(Err(error)) => {
                must_not_be_a_bug(&error, text);
                let refused = matches!(error, Error::NoDevice { .. } | Error::Unsupported { .. });
                assert!(refused, "{engine}: {error}\n{text}");
            }
            Some(Ok(got)) => {
                let differs = difference(input, &wanted, &got);
                if differs.is_some() && order_may_show(text) {
                    stage.reach("in another order", &mut since);
                    continue;
                }
                assert!(differs.is_none(), "{engine}: {}\n{text}", differs.unwrap_or_default());
            }
        }
        stage.reach(&engine, &mut since);
    }
}

#[test]
fn any_text_is_an_error_or_gives_the_same_bits_on_every_engine() {
    let corpus = texts();
    let stages = executions("text", 4, Stage::new, |stage, random| {
        let mut since = Instant::now();
        let begun = since;
        let text = mutated(random, &corpus);
        let kernel = match Kernel::from_wgsl(&text) {
            Ok(kernel) => kernel,
            Err(error) => return must_not_be_a_bug(&error, &text),
        };
        stage.reach("valid", &mut since);
        let size = kernel.signature().workgroup_size;
        if size.iter().map(|&n| u64::from(n)).product::<u64>() > 1024 {
            return;
        }
        let input = Input::new(random, kernel, false);
        stage.reach("small enough", &mut since);
        compare(random, &input, stage, &text);
        stage.reach("all", &mut begun.clone());
    });
    assert!(sum_up("text", &stages) > 0);
}

#[test]
fn any_sizes_and_any_grid_are_an_error_or_give_the_same_bits_on_every_engine() {
    let kernels: Vec<(String, Kernel)> = texts()
        .into_iter()
        .filter_map(|text| Some((text.clone(), Kernel::from_wgsl(&text).ok()?)))
        .collect();
    let stages = executions("sizes", 4, Stage::new, |stage, random| {
        let mut since = Instant::now();
        let begun = since;
        let (text, kernel) = random.pick(&kernels);
        let mut input = Input::new(random, kernel.clone(), true);
        stage.reach("valid", &mut since);
        if random.one_in(4) {
            // These grids are too large to run, so the launch is only planned.
            let huge = [0, 1, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX];
            input.grid = [0; 3].map(|_| *random.pick(&huge));
            if let Err(error) = input.launch(&stage.split).0.plan() {
                must_not_be_a_bug(&error, text);
            }
            return;
        }
        stage.reach("small enough", &mut since);
        compare(random, &input, stage, text);
        stage.reach("all", &mut begun.clone());
    });
    assert!(sum_up("sizes", &stages) > 0);
}
