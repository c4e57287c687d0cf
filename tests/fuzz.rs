//! Input that lies, with an oracle: whatever the text of a kernel, the sizes of its buffers and its
//! grid, there is no panic and no hang, and every engine of the CPU gives the same bits, split or
//! not, or none gives any.
//!
//! Everything follows from the number of the execution: `COEXEC_FUZZ_FROM=4711 COEXEC_FUZZ=1` does
//! one again. `COEXEC_FUZZ=1000000 cargo test --release --test fuzz -- --nocapture` runs for long.
//! Kernels that race, by check mode, are not compared.

mod engines;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use coexec::{Buffer, Engine, Error, FailureKind, Kernel, Launch, Runtime, ScalarType, Space};
use engines::runtime_with;

/// A random number generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

fn number(name: &str, usual: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => usual,
    }
}

/// Runs executions until their number or, in a normal test run, some seconds are over.
fn executions(what: &str, mut run: impl FnMut(u64, &mut Random)) {
    let asked = std::env::var_os("COEXEC_FUZZ").is_some();
    let seconds = number("COEXEC_FUZZ_SECONDS", if asked { u64::MAX } else { 4 });
    let (from, count) = (number("COEXEC_FUZZ_FROM", 0), number("COEXEC_FUZZ", u64::MAX));
    let begun = Instant::now();
    let mut done = 0;
    while done < count && begun.elapsed().as_secs() < seconds {
        let at = from + done;
        let mut random = Random(at.wrapping_mul(0x1234_5678_9ABC_DEF1));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(at, &mut random))) {
            eprintln!("{what}: execution {at} (COEXEC_FUZZ_FROM={at} COEXEC_FUZZ=1)");
            std::panic::resume_unwind(panic);
        }
        done += 1;
        if asked && done.is_multiple_of(10_000) {
            eprintln!("{what}: {done} executions in {:?}", begun.elapsed());
        }
    }
    eprintln!("{what}: {done} executions without a finding");
}

fn texts() -> Vec<String> {
    let mut found = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("kernels"), root.join("tests/filetests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "wgsl") {
                found.push((path.clone(), std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    found.into_iter().map(|(_, text)| text).collect()
}

/// The text in pieces: words, numbers, single signs, space.
fn tokens(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let same: fn(char) -> bool = match first {
            c if c.is_alphanumeric() || c == '_' => |c| c.is_alphanumeric() || c == '_' || c == '.',
            c if c.is_whitespace() => char::is_whitespace,
            _ => |_| false,
        };
        let len = rest.find(|c| !same(c)).unwrap_or(rest.len()).max(first.len_utf8());
        let (token, after) = rest.split_at(len);
        all.push(token);
        rest = after;
    }
    all
}

const NUMBERS: [&str; 22] = [
    "0u",
    "1u",
    "2u",
    "3u",
    "7u",
    "31u",
    "32u",
    "64u",
    "255u",
    "4294967295u",
    "2147483648u",
    "0",
    "1",
    "-1",
    "2147483647",
    "0.0",
    "1.0",
    "-0.5",
    "1e30",
    "3.4e38",
    "5",
    "16",
];
const WORDS: [&str; 40] = [
    "+",
    "-",
    "*",
    "/",
    "%",
    "<",
    ">",
    "=",
    "!",
    "&",
    "|",
    "^",
    "~",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ";",
    ",",
    "u32",
    "i32",
    "f32",
    "vec4",
    "break",
    "continue",
    "return",
    "if",
    "loop",
    "select",
    "min",
    "max",
    "workgroupBarrier",
    "array",
    "var",
    "let",
    "storageBarrier",
    "atomicAdd",
    "abs",
];

fn mutated(random: &mut Random, corpus: &[String]) -> String {
    let text = random.pick(corpus);
    let mut pieces: Vec<String> = tokens(text).into_iter().map(str::to_owned).collect();
    for _ in 0..1 + random.below(4) {
        let at = random.below(pieces.len());
        let is_number = |piece: &str| piece.starts_with(|c: char| c.is_ascii_digit());
        match random.below(10) {
            0 => drop(pieces.remove(at)),
            1 => pieces.insert(at, pieces[at].clone()),
            2 => {
                let other = random.below(pieces.len());
                pieces.swap(at, other);
            }
            3 => pieces[at] = (*random.pick(&WORDS)).to_owned(),
            4 => {
                // A line of another kernel.
                let lines: Vec<&str> = random.pick(corpus).lines().collect();
                pieces.insert(at, format!("\n{}\n", random.pick(&lines)));
            }
            5 => {
                let from = random.below(pieces.len());
                let end = (from + 1 + random.below(12)).min(pieces.len());
                let part: Vec<String> = pieces[from..end].to_vec();
                pieces.splice(at..at, part);
            }
            // Numbers and words for their like: these often stay valid.
            6 | 7 => {
                let numbers: Vec<usize> =
                    (0..pieces.len()).filter(|&i| is_number(&pieces[i])).collect();
                if !numbers.is_empty() {
                    pieces[*random.pick(&numbers)] = (*random.pick(&NUMBERS)).to_owned();
                }
            }
            _ => {
                let like = |piece: &str| {
                    piece.starts_with(|c: char| c.is_alphabetic()) && piece.len() < 12
                };
                let words: Vec<usize> = (0..pieces.len()).filter(|&i| like(&pieces[i])).collect();
                let (to, from) = (*random.pick(&words), *random.pick(&words));
                pieces[to] = pieces[from].clone();
            }
        }
    }
    pieces.concat()
}

/// What a launch needs, small.
struct Input {
    kernel: Kernel,
    /// By binding.
    bytes: Vec<Vec<u8>>,
    grid: [u64; 3],
}

impl Input {
    fn new(random: &mut Random, kernel: Kernel, wild: bool) -> Input {
        let bindings = &kernel.signature().bindings;
        let bytes = bindings
            .iter()
            .map(|binding| {
                let layout = &binding.layout;
                let least = layout.min_bytes().min(1 << 16);
                let mut len = least + layout.stride.min(256) * random.below(40) as u64;
                if wild && random.one_in(3) {
                    len = random.below(300) as u64;
                }
                if !binding.space.is_storage() || layout.count.is_some() {
                    len = layout.min_bytes().min(1 << 16);
                }
                let small = random.one_in(2);
                let word = |random: &mut Random| match random.below(4) {
                    0 => random.next() as u32,
                    1 => (random.below(100) as f32 - 20.0).to_bits(),
                    _ if small => random.below(16) as u32,
                    _ => random.below(1000) as u32,
                };
                let words = len.div_ceil(4);
                let mut bytes: Vec<u8> =
                    (0..words).flat_map(|_| word(random).to_le_bytes()).collect();
                bytes.truncate(len as usize);
                bytes
            })
            .collect();
        let axis = |random: &mut Random| match random.below(6) {
            0 if wild => 0,
            n => 1 + (n as u64).saturating_sub(2),
        };
        let grid = [1 + random.below(9) as u64, axis(random), if random.one_in(3) { 2 } else { 1 }];
        Input { kernel, bytes, grid }
    }

    fn launch(&self, rt: &Runtime) -> (Launch, Vec<Buffer<u8>>) {
        let mut launch = rt.launch(&self.kernel).workgroups(self.grid).loop_budget(300);
        let mut buffers = Vec::new();
        for (binding, bytes) in self.kernel.signature().bindings.iter().zip(&self.bytes) {
            if binding.space.is_storage() {
                let buffer = Buffer::from_slice(bytes);
                launch = launch.bind(&binding.name, &buffer);
                buffers.push(buffer);
            } else {
                launch = launch.set_bytes(&binding.name, bytes.clone());
            }
        }
        (launch, buffers)
    }

    /// Runs it: what is in the buffers afterwards. Nothing when it takes too long.
    fn run(&self, rt: &Runtime, chunks: u32) -> Option<Result<Vec<Vec<u8>>, Error>> {
        let (launch, buffers) = self.launch(rt);
        let future = match launch.chunks(chunks).submit() {
            Ok(future) => future,
            Err(error) => return Some(Err(error)),
        };
        let (sender, receiver) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let waiter = std::thread::spawn(move || {
            // Polled now and then: dropping the future is what cancels.
            let mut future = std::pin::pin!(future);
            loop {
                let mut context = std::task::Context::from_waker(std::task::Waker::noop());
                if let std::task::Poll::Ready(outcome) = future.as_mut().poll(&mut context) {
                    let _ = sender.send(outcome);
                    return;
                }
                if stopped.recv_timeout(Duration::from_micros(200)).is_ok() {
                    return;
                }
            }
        });
        let outcome = receiver.recv_timeout(Duration::from_secs(3));
        let _ = stop.send(());
        waiter.join().expect("the waiter does not panic");
        match outcome {
            Err(_) => None,
            Ok(Err(error)) => Some(Err(error)),
            Ok(Ok(_)) => Some(buffers.iter().map(Buffer::to_vec).collect()),
        }
    }
}

use std::future::Future;

/// What no input may lead to.
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
        // Integers that were made of a NaN's bits can't be told apart.
        let may = floats(binding.element_scalars()) || floats(binding.header_scalars());
        let differs = |&at: &usize| a[at] != b[at] && !(may && nan(a, at) && nan(b, at));
        if let Some(at) = (0..a.len()).find(differs) {
            return Some(format!("`{}`, byte {at}: {:#x} and {:#x}", binding.name, a[at], b[at]));
        }
    }
    None
}

struct Runtimes {
    oracle: Runtime,
    others: Vec<(Engine, Runtime)>,
    split: Runtime,
}

fn runtimes() -> Runtimes {
    let engine = |name: &str| {
        let engine: Engine = name.parse().unwrap();
        let built =
            Runtime::builder().devices("cpu").cpu_engine(engine).threads(1).inject("").build();
        built.ok().map(|runtime| (engine, runtime))
    };
    Runtimes {
        oracle: engine("interpreter").expect("it is always there").1,
        others: ["cranelift", "llvm"].into_iter().filter_map(engine).collect(),
        split: runtime_with("virtual:2:cpu", Engine::Interpreter),
    }
}

/// Runs an input everywhere and compares; whether there was something to compare.
fn compare(random: &mut Random, input: &Input, rts: &Runtimes, text: &str) -> bool {
    let wanted = match input.run(&rts.oracle, 1) {
        Some(Ok(wanted)) => wanted,
        Some(Err(error)) => {
            must_not_be_a_bug(&error, text);
            return false;
        }
        None => return false,
    };
    match input.launch(&rts.oracle).0.check() {
        Ok(found) if found.errors() == 0 => {}
        Ok(_) => return false,
        Err(error) => {
            must_not_be_a_bug(&error, text);
            return false;
        }
    }
    for (engine, rt) in &rts.others {
        // LLVM takes its time.
        if engine.to_string() == "llvm" && !random.one_in(6) {
            continue;
        }
        match input.run(rt, 1) {
            None => panic!("{engine} does not come to an end\n{text}"),
            // Engines count turns in ways of their own.
            Some(Err(Error::EndlessLoop { .. })) => {}
            Some(Err(error)) => {
                must_not_be_a_bug(&error, text);
                let refused = matches!(error, Error::NoDevice { .. } | Error::Unsupported { .. });
                assert!(refused, "{engine}: {error}\n{text}");
            }
            Some(Ok(got)) => {
                let differs = difference(input, &wanted, &got);
                assert!(differs.is_none(), "{engine}: {}\n{text}", differs.unwrap_or_default());
            }
        }
    }
    match input.run(&rts.split, 2 + random.below(5) as u32) {
        None => panic!("the split launch does not come to an end\n{text}"),
        Some(Err(error)) => panic!("split: {error}\n{text}"),
        Some(Ok(got)) => {
            let differs = difference(input, &wanted, &got);
            assert!(differs.is_none(), "split: {}\n{text}", differs.unwrap_or_default());
        }
    }
    true
}

#[test]
fn whatever_the_text_of_a_kernel() {
    let (corpus, rts) = (texts(), runtimes());
    let (mut valid, mut compared) = (0, 0);
    executions("text", |_, random| {
        let text = mutated(random, &corpus);
        let kernel = match Kernel::from_wgsl(&text) {
            Ok(kernel) => kernel,
            Err(error) => return must_not_be_a_bug(&error, &text),
        };
        valid += 1;
        let size = kernel.signature().workgroup_size;
        if size.iter().map(|&n| u64::from(n)).product::<u64>() > 1024 {
            return;
        }
        let input = Input::new(random, kernel, false);
        compared += u32::from(compare(random, &input, &rts, &text));
    });
    eprintln!("text: {valid} valid kernels, {compared} compared");
    assert!(valid > 0);
}

#[test]
fn whatever_the_sizes_of_buffers_and_the_grid() {
    let rts = runtimes();
    let kernels: Vec<(String, Kernel)> = texts()
        .into_iter()
        .filter_map(|text| Some((text.clone(), Kernel::from_wgsl(&text).ok()?)))
        .collect();
    let mut compared = 0;
    executions("sizes", |_, random| {
        let (text, kernel) = random.pick(&kernels);
        let mut input = Input::new(random, kernel.clone(), true);
        if random.one_in(4) {
            // Far too large to be run: only planned.
            let huge = [0, 1, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX];
            input.grid = [0; 3].map(|_| *random.pick(&huge));
            if let Err(error) = input.launch(&rts.split).0.plan() {
                must_not_be_a_bug(&error, text);
            }
            return;
        }
        compared += u32::from(compare(random, &input, &rts, text));
    });
    eprintln!("sizes: {compared} compared");
}
