//! Launches that are recorded and run together.

use coexec::{Buffer, Kernel, Runtime};

use super::{affine, engines, increment};

fn selections() -> Vec<&'static str> {
    let mut all = vec!["cpu", "virtual:2:cpu"];
    if engines::gpu_ids().is_empty() {
        engines::skip("sequences on a GPU", "this machine has no adapter");
    } else {
        all.extend(["gpu0", "virtual:2:gpu0", "cpu,gpu0"]);
    }
    all
}

fn there_and_back(runtime: &Runtime, a: &Buffer<u32>, b: &Buffer<u32>) -> coexec::Sequence {
    let kernel = affine();
    let step = |src, dst| {
        let launch = runtime.launch(&kernel).bind("src", src).bind("dst", dst);
        launch.invocations([1000, 1, 1])
    };
    runtime.sequence().then(step(a, b)).then(step(b, a))
}

#[test]
fn a_sequence_gives_what_its_launches_give_one_after_the_other() {
    for selection in selections() {
        let runtime = engines::runtime(selection);
        let start: Vec<u32> = (0..1000).collect();
        let (a, b) = (Buffer::from_slice(&start), Buffer::zeroed(1000));
        let report = there_and_back(&runtime, &a, &b).run(20).expect("a sequence");
        assert_eq!(report.launches, 40, "{selection}: {report}");
        assert_eq!(report.batched.is_some(), selection == "gpu0", "{selection}: {report}");
        let done: u64 = report.devices.iter().map(|device| device.workgroups).sum();
        assert_eq!(done, 40 * 250, "{selection}: {report}");
        let after = |steps: u32| -> Vec<u32> {
            let steps = 0..steps;
            let one = |i: u32| steps.clone().fold(i, |x, _| x.wrapping_mul(3).wrapping_add(i));
            (0..1000).map(one).collect()
        };
        assert_eq!(a.to_vec().expect("a result"), after(40), "{selection}");
        assert_eq!(b.to_vec().expect("a result"), after(39), "{selection}");
        // The sequence runs again, after the host has changed the buffer.
        a.write(0, &start).expect("all of it");
        there_and_back(&runtime, &a, &b).run(1).expect("a sequence");
        assert_eq!(a.to_vec().expect("a result"), after(2), "{selection}");
    }
}

#[test]
fn launches_that_share_nothing_and_one_that_needs_them_all_are_right() {
    for selection in selections() {
        let runtime = engines::runtime(selection);
        let parts: Vec<Buffer<u32>> = (0..4).map(|n| Buffer::from_slice(&[n; 100])).collect();
        let mut sequence = runtime.sequence();
        for part in &parts {
            let launch = runtime.launch(&increment()).bind("data", part);
            sequence = sequence.then(launch.invocations([100, 1, 1]));
        }
        let sum = Kernel::from_wgsl(
            "@group(0) @binding(0) var<storage, read> a: array<u32>;
             @group(0) @binding(1) var<storage, read> b: array<u32>;
             @group(0) @binding(2) var<storage, read> c: array<u32>;
             @group(0) @binding(3) var<storage, read> d: array<u32>;
             @group(0) @binding(4) var<storage, read_write> sum: array<u32>;
             @compute @workgroup_size(8)
             fn add(@builtin(global_invocation_id) id: vec3<u32>) {
                 sum[id.x] += a[id.x] + b[id.x] + c[id.x] + d[id.x];
             }",
        )
        .expect("valid WGSL");
        let all = Buffer::<u32>::zeroed(100);
        let mut last = runtime.launch(&sum).bind("sum", &all);
        for (name, part) in ["a", "b", "c", "d"].iter().zip(&parts) {
            last = last.bind(name, part);
        }
        let report = sequence.then(last.invocations([100, 1, 1])).run(3).expect("a sequence");
        assert_eq!(report.launches, 15);
        // 0 + 1 + 2 + 3, and four more each time.
        assert_eq!(all.to_vec().expect("a result"), [10 + 14 + 18; 100], "{selection}");
    }
}

#[test]
fn indices_that_a_launch_of_the_sequence_wrote_are_followed_by_the_next() {
    let gather = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> at: array<u32>;
         @group(0) @binding(1) var<storage, read> source: array<u32>;
         @group(0) @binding(2) var<storage, read_write> picked: array<u32>;
         @compute @workgroup_size(8)
         fn gather(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x < arrayLength(&picked) { picked[id.x] = source[at[id.x]]; }
         }",
    )
    .expect("valid WGSL");
    for selection in selections() {
        let runtime = engines::runtime(selection);
        let at = Buffer::from_slice(&(0..256u32).collect::<Vec<_>>());
        let source = Buffer::from_slice(&(0..1024u32).map(|i| i * i).collect::<Vec<_>>());
        let picked = Buffer::<u32>::zeroed(256);
        let one = runtime.launch(&increment()).bind("data", &at).invocations([256, 1, 1]);
        let two = runtime.launch(&gather).bind("at", &at).bind("source", &source);
        let two = two.bind("picked", &picked).invocations([256, 1, 1]);
        runtime.sequence().then(one).then(two).run(5).expect("a sequence");
        let expected: Vec<u32> = (0..256).map(|i| (i + 5) * (i + 5)).collect();
        assert_eq!(picked.to_vec().expect("a result"), expected, "{selection}");
    }
}

#[test]
fn a_sequence_that_fails_poisons_what_it_writes_and_mistakes_are_found_before_it_runs() {
    let endless = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(8)
         fn endless(@builtin(global_invocation_id) id: vec3<u32>) {
             while data[id.x] < 1000000u { data[id.x] = 1u; }
         }",
    )
    .expect("valid WGSL");
    for selection in selections() {
        let runtime = engines::runtime(selection);
        let (data, other) = (Buffer::from_slice(&[0u32; 64]), Buffer::from_slice(&[0u32; 64]));
        let good = || runtime.launch(&increment()).bind("data", &other).invocations([64, 1, 1]);
        let bad = runtime.launch(&endless).bind("data", &data).loop_budget(500);
        let sequence = runtime.sequence().then(good()).then(bad.invocations([64, 1, 1]));
        assert!(sequence.run(2).is_err(), "{selection}");
        assert!(data.to_vec().is_err() && other.to_vec().is_err(), "{selection}");
        other.write(0, &[0; 64]).expect("all of it");
        let unbound = runtime.launch(&increment()).invocations([64, 1, 1]);
        assert!(runtime.sequence().then(good()).then(unbound).run(1).is_err(), "{selection}");
        assert_eq!(other.to_vec().expect("nothing ran"), [0; 64], "{selection}");
        assert_eq!(runtime.sequence().run(3).expect("nothing to do").launches, 0);
    }
}
