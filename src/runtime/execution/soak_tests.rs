//! Chains of launches under random faults. Buffers stay on devices between launches and are read only
//! sometimes. Their contents must always be those of a run without faults. At the end, no log entry, window
//! or thread may be left.
//!
//! `COEXEC_SOAK` sets the number of launches, `COEXEC_SOAK_SEED` the seed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::Error;
use crate::kernel::Kernel;
use crate::memory::Buffer;
use crate::runtime::random::draw;
use crate::runtime::{FailureEvent, Launch, Runtime};

const N: usize = 3000;
const BUFFERS: usize = 4;

/// Random numbers below a bound, from a seed.
struct Dice {
    seed: u64,
    drawn: u64,
}

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.drawn += 1;
        ((draw(self.seed, self.drawn) * bound as f64) as usize).min(bound - 1)
    }
}

/// Kernels of integers, on which all devices give the same bits. `dst` is also the input if there is no `src`.
const KERNELS: [&str; 5] = [
    // Writes all elements.
    "@group(0) @binding(0) var<storage, read> src: array<u32>;
     @group(0) @binding(1) var<storage, read_write> dst: array<u32>;
     @compute @workgroup_size(32) fn affine(@builtin(global_invocation_id) id: vec3<u32>) {
         if id.x < arrayLength(&dst) { dst[id.x] = 3u * src[id.x] + id.x; }
     }",
    // Reads halos, and leaves the elements at the ends.
    "@group(0) @binding(0) var<storage, read> src: array<u32>;
     @group(0) @binding(1) var<storage, read_write> dst: array<u32>;
     @compute @workgroup_size(32) fn stencil(@builtin(global_invocation_id) id: vec3<u32>) {
         let i = id.x;
         if i > 0u && i + 1u < arrayLength(&dst) { dst[i] = src[i - 1u] + 2u * src[i] + src[i + 1u]; }
     }",
    // Updates some elements in place.
    "@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
     @compute @workgroup_size(32) fn bump(@builtin(global_invocation_id) id: vec3<u32>) {
         if id.x < arrayLength(&dst) && id.x % 3u != 1u { dst[id.x] += 7u; }
     }",
    // A reduction.
    "@group(0) @binding(0) var<storage, read> src: array<u32>;
     @group(0) @binding(1) var<storage, read_write> dst: array<atomic<u32>>;
     @compute @workgroup_size(32) fn count(@builtin(global_invocation_id) id: vec3<u32>) {
         if id.x < arrayLength(&src) { atomicAdd(&dst[src[id.x] % 37u], id.x); }
     }",
    // Merged by difference.
    "@group(0) @binding(0) var<storage, read> src: array<u32>;
     @group(0) @binding(1) var<storage, read_write> dst: array<u32>;
     @compute @workgroup_size(32) fn scatter(@builtin(global_invocation_id) id: vec3<u32>) {
         let n = arrayLength(&dst);
         if id.x < n { dst[(id.x * 7u + (src[id.x] & 0u)) % n] = src[id.x]; }
     }",
];

/// The kernels in plain Rust.
fn model(kernel: usize, src: &[u32], dst: &mut [u32]) {
    match kernel {
        0 => dst.iter_mut().zip(src).zip(0..).for_each(|((d, s), i)| {
            *d = s.wrapping_mul(3).wrapping_add(i);
        }),
        1 => (1..N - 1).for_each(|i| {
            let twice = src[i].wrapping_mul(2);
            dst[i] = src[i - 1].wrapping_add(twice).wrapping_add(src[i + 1]);
        }),
        2 => dst.iter_mut().enumerate().filter(|(i, _)| i % 3 != 1).for_each(|(_, d)| {
            *d = d.wrapping_add(7);
        }),
        3 => src.iter().zip(0..).for_each(|(s, i)| {
            let d = &mut dst[*s as usize % 37];
            *d = d.wrapping_add(i);
        }),
        _ => (0..N).for_each(|i| dst[i * 7 % N] = src[i]),
    }
}

/// The buffers, and their expected contents.
struct World {
    kernels: Vec<Kernel>,
    buffers: Vec<Buffer<u32>>,
    right: Vec<Vec<u32>>,
    dice: Dice,
}

/// A launch: the kernel, and the numbers of its buffers.
type Step = (usize, usize, usize);

impl World {
    fn new(seed: u64) -> World {
        let kernels = KERNELS.iter().map(|text| Kernel::from_wgsl(text).expect("valid WGSL"));
        let mut world = World {
            kernels: kernels.collect(),
            buffers: Vec::new(),
            right: Vec::new(),
            dice: Dice { seed, drawn: 0 },
        };
        for _ in 0..BUFFERS {
            let numbers = world.numbers();
            world.buffers.push(Buffer::from_slice(&numbers));
            world.right.push(numbers);
        }
        world
    }

    fn numbers(&mut self) -> Vec<u32> {
        let from = self.dice.below(1 << 20) as u32;
        (0..N as u32).map(|i| (i + from).wrapping_mul(2_654_435_761)).collect()
    }

    fn step(&mut self) -> Step {
        let kernel = self.dice.below(KERNELS.len());
        let dst = self.dice.below(BUFFERS);
        let src = (dst + 1 + self.dice.below(BUFFERS - 1)) % BUFFERS;
        (kernel, src, dst)
    }

    fn launch(&mut self, rt: &Runtime, (kernel, src, dst): Step) -> Launch {
        let mut launch = rt.launch(&self.kernels[kernel]).bind("dst", &self.buffers[dst]);
        if kernel != 2 {
            launch = launch.bind("src", &self.buffers[src]);
        }
        launch = launch.invocations([N as u64, 1, 1]);
        match self.dice.below(3) {
            0 => launch,
            1 => launch.chunks(1),
            _ => launch.chunks(2 + self.dice.below(9) as u32),
        }
    }

    fn model(&mut self, (kernel, src, dst): Step) {
        let from = self.right[src].clone();
        model(kernel, &from, &mut self.right[dst]);
    }

    /// Overwrites the output of a launch that had no device left, which is poisoned.
    fn heal(&mut self, dst: usize) {
        let numbers = self.numbers();
        self.buffers[dst].write(0, &numbers).expect("all of it");
        self.right[dst] = numbers;
    }

    /// Reads a part and compares it. The part is poisoned until there is a device that can compute lost bytes
    /// again.
    fn look(&mut self, rt: &Runtime, which: usize, what: &str) {
        let start = self.dice.below(N);
        let range = if self.dice.below(3) == 0 { 0..N } else { start..N.min(start + 400) };
        let mut got = self.buffers[which].read(range.clone());
        for _ in 0..20 {
            let Err(error) = &got else { break };
            assert!(matches!(error, Error::Poisoned { .. }), "{what}: {error}");
            retry(rt);
            got = self.buffers[which].read(range.clone());
        }
        let got = got.unwrap_or_else(|error| panic!("{what}: {error}"));
        let wrong = got.iter().zip(&self.right[which][range.clone()]).position(|(a, b)| a != b);
        assert_eq!(wrong, None, "{what}: buffer {which}, from {}", range.start);
    }
}

fn retry(rt: &Runtime) {
    for (id, outcome) in rt.retry_quarantined() {
        outcome.unwrap_or_else(|error| panic!("{id}: {error}"));
    }
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

/// Runs `count` launches. Returns the number of survived failures by kind, and how often no device was left.
fn soak(devices: &str, faults: &str, count: u64, seed: u64) -> (BTreeMap<String, u64>, u64) {
    let built = Runtime::builder().devices(devices).inject(faults).threads(2);
    let built = built.patience(Duration::from_millis(40)).log_memory(1 << 20);
    let rt = built.build().expect("the devices");
    let mut world = World::new(seed);
    let (mut kinds, mut failed) = (BTreeMap::new(), 0);
    let (mut done, mut turn) = (0, 0);
    while done < count {
        turn += 1;
        let what = format!("{devices}, {faults}, seed {seed}, turn {turn}");
        match world.dice.below(12) {
            0 => {
                let (which, numbers) = (world.dice.below(BUFFERS), world.numbers());
                let start = world.dice.below(N);
                let end = N.min(start + 1 + world.dice.below(500));
                let written = world.buffers[which].write(start, &numbers[start..end]);
                written.unwrap_or_else(|error| panic!("{what}: {error}"));
                world.right[which][start..end].copy_from_slice(&numbers[start..end]);
            }
            1 => {
                let (which, numbers) = (world.dice.below(BUFFERS), world.numbers());
                world.buffers[which] = Buffer::from_slice(&numbers);
                world.right[which] = numbers;
            }
            2 | 3 => {
                let which = world.dice.below(BUFFERS);
                world.look(&rt, which, &what);
            }
            4 => {
                let steps: Vec<Step> = (0..3).map(|_| world.step()).collect();
                let mut sequence = rt.sequence();
                for &step in &steps {
                    sequence = sequence.then(world.launch(&rt, step));
                }
                match sequence.run(2) {
                    Ok(report) => {
                        done += report.launches;
                        count_kinds(&mut kinds, &report.events);
                        steps.iter().chain(&steps).for_each(|&step| world.model(step));
                    }
                    Err(error) => {
                        assert!(no_device(&error), "{what}: {error}");
                        failed += 1;
                        steps.iter().for_each(|&(_, _, dst)| world.heal(dst));
                    }
                }
            }
            _ => {
                let step = world.step();
                done += 1;
                match world.launch(&rt, step).run() {
                    Ok(report) => {
                        count_kinds(&mut kinds, &report.events);
                        world.model(step);
                    }
                    Err(error) => {
                        assert!(no_device(&error), "{what}: {error}");
                        failed += 1;
                        world.heal(step.2);
                    }
                }
            }
        }
        if world.dice.below(5) == 0 {
            retry(&rt);
        }
    }
    retry(&rt);
    (0..BUFFERS).for_each(|which| world.look(&rt, which, "at the end"));
    world.buffers.clear();
    let (entries, bytes) = rt.resources.log.size();
    assert_eq!((entries, bytes), (0, 0), "the log has entries that nobody needs");
    assert_eq!(rt.resources.memories.used(), 0, "windows are left");
    (kinds, failed)
}

/// Whether a launch failed because no device was left to run it, or to compute its input again.
fn no_device(error: &Error) -> bool {
    matches!(error, Error::NoDevice { .. })
        || matches!(error, Error::Poisoned { cause, .. } if cause.contains("computing them again failed"))
}

fn count_kinds(kinds: &mut BTreeMap<String, u64>, events: &[FailureEvent]) {
    for event in events {
        *kinds.entry(event.kind.to_string()).or_default() += 1;
    }
}

fn count() -> Option<u64> {
    std::env::var("COEXEC_SOAK").ok().map(|n| n.parse().expect("COEXEC_SOAK is a number"))
}

#[test]
fn chains_of_launches_under_random_faults_end_as_without_them_and_nothing_is_left() {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.to_string().contains("an injected fault") {
            hook(info);
        }
    }));
    if let Err(error) = Runtime::builder().devices("gpu0").inject("").build() {
        let required = std::env::var("COEXEC_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!required, "{error}");
        eprintln!("SKIPPED: {error}");
        return;
    }
    let seed = std::env::var("COEXEC_SOAK_SEED").map_or(40, |n| n.parse().expect("a number"));
    let each = count().map_or(120, |count| count.div_ceil(4));
    let (mut all, mut failed, mut before) = (BTreeMap::<String, u64>::new(), 0, 0);
    for (round, (devices, faults)) in [
        ("virtual:3:gpu0", "*:any%5:1"),
        ("cpu,gpu0", "*:any%5:2"),
        ("virtual:3:gpu0", "gpu0.0:lost%20:3,gpu0.1:lost-late%10:4,gpu0.2:oom%5:5"),
        ("virtual:3:gpu0", "gpu0.0:destroy%10:6,*:any%3:7"),
    ]
    .into_iter()
    .enumerate()
    {
        let (kinds, without) = soak(devices, faults, each, seed + round as u64);
        failed += without;
        kinds.into_iter().for_each(|(kind, n)| *all.entry(kind).or_default() += n);
        if round == 0 {
            before = threads();
        }
    }
    eprintln!("{} launches, {failed} without a device left, survived: {all:?}", 4 * each);
    assert!(all.len() >= 5, "{all:?}");
    // Threads of other tests of this process come and go, so only a soak run counts them.
    if count().is_some() {
        let now = threads();
        eprintln!("threads {before} -> {now}");
        assert!(now <= before + 2, "threads are left");
    }
}
