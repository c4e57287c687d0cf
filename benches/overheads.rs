//! The cost of a launch besides the kernel's own work: parsing and analysis, a plan, an empty launch
//! on each device.
//!
//!     cargo bench --bench overheads
//!     cargo bench --bench overheads -- log    # the cost of the launch log without failures

use coexec::{Buffer, Kernel, Launch, Runtime};
use criterion::{BatchSize, Criterion, criterion_group};

fn saxpy(runtime: &Runtime, kernel: &Kernel, x: &Buffer<f32>, y: &Buffer<f32>) -> Launch {
    let mut params = 2.0f32.to_le_bytes().to_vec();
    params.extend((x.len() as u32).to_le_bytes());
    runtime.launch(kernel).set_bytes("params", params).bind("x", x).bind("y", y).invocations([
        x.len() as u64,
        1,
        1,
    ])
}

fn library(name: &str) -> Kernel {
    let text = coexec::ops::library().iter().find(|k| k.name == name).expect(name).text;
    Kernel::from_wgsl(text).expect(name)
}

/// Plans for two devices, in 64 bands (16 for matmul, whose grid has no more): with new arguments, and
/// with the arguments of an earlier plan.
fn plans(criterion: &mut Criterion) {
    let runtime = Runtime::builder().devices("virtual:2:cpu").build().expect("two devices");
    let (a, b, c) = (
        Buffer::<f32>::zeroed(1 << 20),
        Buffer::<f32>::zeroed(1 << 20),
        Buffer::<f32>::zeroed(1 << 20),
    );
    let quads: Vec<_> = (0..4).map(|_| Buffer::<[f32; 4]>::zeroed(1 << 14)).collect();
    // The number only makes the arguments of the launches differ.
    type Case<'a> = (&'a str, Box<dyn Fn(&Kernel, u32) -> Launch + 'a>);
    let cases: [Case<'_>; 4] = [
        (
            "saxpy",
            Box::new(|kernel, turn| {
                let launch = runtime.launch(kernel).bind("x", &a).bind("y", &b);
                let launch = launch.set_field("params.a", turn as f32);
                launch.set_field("params.n", 1u32 << 20).invocations([1 << 20, 1, 1])
            }),
        ),
        (
            "stencil5",
            Box::new(|kernel, turn| {
                let launch = runtime.launch(kernel).bind("src", &a).bind("dst", &b);
                let launch = launch.set_field("grid.width", 1024u32);
                let launch = launch.set_field("grid.height", 1024u32);
                launch.set_field("grid.alpha", turn as f32).invocations([1024, 1024, 1])
            }),
        ),
        (
            "matmul",
            Box::new(|kernel, turn| {
                let launch = runtime.launch(kernel).bind("a", &a).bind("b", &b).bind("c", &c);
                let launch = launch.set_field("dims.m", 1024u32).set_field("dims.n", 1024u32);
                launch.set_field("dims.k", 1024 - turn % 512).workgroups([16, 16, 1])
            }),
        ),
        (
            "nbody",
            Box::new(|kernel, turn| {
                let names = ["bodies", "velocities", "next_bodies", "next_velocities"];
                let launch = runtime.launch(kernel).set_field("params.count", 1u32 << 14);
                let launch = launch.set_field("params.dt", turn as f32);
                let launch = launch.set_field("params.softening", 1.0);
                let bound = names.iter().zip(&quads).fold(launch, |l, (name, q)| l.bind(name, q));
                bound.invocations([1 << 14, 1, 1])
            }),
        ),
    ];
    for (name, launch) in &cases {
        let kernel = library(name);
        let mut turn = 0;
        criterion.bench_function(&format!("first plan {name}"), |bencher| {
            bencher.iter(|| {
                turn += 1;
                launch(&kernel, turn).plan().expect("a plan")
            });
        });
        // With and without describing the launch, which is work of the calling program.
        criterion.bench_function(&format!("describe and plan {name} again"), |bencher| {
            bencher.iter(|| launch(&kernel, 0).plan().expect("a plan"));
        });
        criterion.bench_function(&format!("plan {name} again"), |bencher| {
            let described = || launch(&kernel, 0);
            bencher.iter_batched(described, |l| l.plan().expect("a plan"), BatchSize::SmallInput);
        });
    }
}

fn overheads(criterion: &mut Criterion) {
    for entry in coexec::ops::library() {
        if ["saxpy", "matmul"].contains(&entry.name) {
            criterion.bench_function(&format!("parse {}", entry.name), |bencher| {
                bencher.iter(|| Kernel::from_wgsl(entry.text).expect(entry.name));
            });
        }
    }

    plans(criterion);
    let kernel = library("saxpy");
    let all = Runtime::new().expect("a runtime");

    // The work is one workgroup, so nearly all of the time is overhead.
    let (x, y) = (Buffer::from_slice(&[1.0f32]), Buffer::<f32>::zeroed(1));
    for device in all.devices() {
        let runtime = Runtime::builder().devices(&device.id).build().expect(&device.id);
        criterion.bench_function(&format!("launch on {}", device.id), |bencher| {
            bencher.iter(|| saxpy(&runtime, &kernel, &x, &y).run().expect("a report"));
        });
    }
}

/// The cost of the launch log without failures: an iterated stencil with steps of far less than one
/// millisecond, about one, and many. Steps with and without the log take turns, so that other work of
/// the machine affects both.
fn log() {
    use std::time::{Duration, Instant};
    let build = |bytes: u64| {
        let builder = Runtime::builder().devices("gpu0").log_memory(bytes);
        builder.build().expect("a GPU, or lavapipe")
    };
    let (with, without) = (build(256 << 20), build(0));
    let kernel = library("stencil5");
    for (side, turns) in [(16u32, 8000), (256, 3000), (1024, 300)] {
        let cells = (side * side) as usize;
        let fields = || {
            let a = Buffer::from_slice(&vec![1.0f32; cells]);
            (a, Buffer::<f32>::zeroed(cells))
        };
        let (logged, plain) = (fields(), fields());
        let step = |rt: &Runtime, (a, b): &(Buffer<f32>, Buffer<f32>), turn: u32| {
            let (src, dst) = if turn.is_multiple_of(2) { (a, b) } else { (b, a) };
            let launch = rt.launch(&kernel).bind("src", src).bind("dst", dst);
            let launch = launch.set_field("grid.width", side).set_field("grid.height", side);
            let launch = launch.set_field("grid.alpha", 0.2f32);
            let begun = Instant::now();
            launch.invocations([side.into(), side.into(), 1]).run().expect("a step");
            begun.elapsed()
        };
        let (mut one, mut other) = (Vec::new(), Vec::new());
        for turn in 0..turns {
            // The order alternates, so that neither always runs after the other.
            if turn % 4 < 2 {
                one.push(step(&with, &logged, turn));
                other.push(step(&without, &plain, turn));
            } else {
                other.push(step(&without, &plain, turn));
                one.push(step(&with, &logged, turn));
            }
        }
        let median = |times: &mut Vec<Duration>| {
            times.sort();
            times[times.len() / 2].as_secs_f64() * 1e6
        };
        let mean = |times: &[Duration]| {
            times.iter().sum::<Duration>().as_secs_f64() * 1e6 / times.len() as f64
        };
        let means = (mean(&one[50..]), mean(&other[50..]));
        let (a, b) = (median(&mut one), median(&mut other));
        println!(
            "stencil5 {side} x {side}, {turns} steps on gpu0: {a:.1} µs with the log, {b:.1} µs without: \
             {:+.2} %; means {:.1} and {:.1} µs: {:+.2} %",
            (a / b - 1.0) * 100.0,
            means.0,
            means.1,
            (means.0 / means.1 - 1.0) * 100.0
        );
    }
}

criterion_group!(benches, overheads);

fn main() {
    if std::env::args().any(|argument| argument == "log") {
        log();
        return;
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
