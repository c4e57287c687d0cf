//! Buffers that stay on devices: repeated launches move little, and no reader sees stale data.

use std::time::Duration;

use coexec::{Buffer, Kernel, Report, Runtime};

use super::{affine, engines, increment};

/// The selections with a GPU; none without an adapter.
fn gpus(test: &str) -> Vec<&'static str> {
    if engines::gpu_ids().is_empty() {
        engines::skip(test, "this machine has no adapter");
        return Vec::new();
    }
    vec!["gpu0", "virtual:2:gpu0", "virtual:3:gpu0", "cpu,gpu0"]
}

fn uploaded(report: &Report) -> u64 {
    report.devices.iter().map(|device| device.uploaded).sum()
}

fn downloaded(report: &Report) -> u64 {
    report.devices.iter().map(|device| device.downloaded).sum()
}

fn stencil() -> Kernel {
    let text = coexec::ops::library().iter().find(|k| k.name == "stencil5").expect("it is there");
    Kernel::from_wgsl(text.text).expect("valid WGSL")
}

fn step(
    runtime: &Runtime,
    kernel: &Kernel,
    (width, height): (u32, u32),
    (src, dst): (&Buffer<f32>, &Buffer<f32>),
    chunks: Option<u32>,
) -> Report {
    let launch = runtime.launch(kernel).bind("src", src).bind("dst", dst);
    let launch = launch.set_field("grid.width", width).set_field("grid.height", height);
    let launch = launch.set_field("grid.alpha", 0.2f32);
    let launch = launch.invocations([width.into(), height.into(), 1]);
    let launch = match chunks {
        Some(chunks) => launch.chunks(chunks),
        None => launch,
    };
    launch.run().expect("a launch")
}

fn field(width: u32, height: u32) -> Vec<f32> {
    (0..width * height).map(|i| (i.wrapping_mul(2_654_435_761) >> 16) as f32 / 65536.0).collect()
}

/// A bound on the bytes of uniforms and parameters of a few chunks.
const VALUES: u64 = 1024;

#[test]
fn an_iterated_stencil_on_two_devices_moves_its_halo_and_nothing_else() {
    if gpus("residency").is_empty() {
        return;
    }
    let (width, height) = (256, 192);
    let row = u64::from(width) * 4;
    let kernel = stencil();
    let runtime = engines::runtime("virtual:2:gpu0");
    let (a, b) = (Buffer::from_slice(&field(width, height)), Buffer::zeroed(256 * 192));
    let (c, d) = (Buffer::from_slice(&field(width, height)), Buffer::zeroed(256 * 192));
    let alone = engines::runtime("cpu");
    for turn in 0..12 {
        let (src, dst) = if turn % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let report = step(&runtime, &kernel, (width, height), (src, dst), Some(2));
        let (src, dst) = if turn % 2 == 0 { (&c, &d) } else { (&d, &c) };
        step(&alone, &kernel, (width, height), (src, dst), None);
        // The first three launches may still change the division of the field.
        if turn >= 3 {
            assert_eq!(downloaded(&report), 2 * row, "turn {turn}: {report}");
            let up = uploaded(&report);
            assert!((2 * row..2 * row + VALUES).contains(&up), "turn {turn}: {report}");
        }
    }
    let (got, want) = (a.to_vec().expect("a result"), c.to_vec().expect("a result"));
    let worst = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-6, "{worst}");
}

#[test]
fn two_devices_that_divide_a_field_as_they_go_have_a_part_of_one_piece_each() {
    if gpus("residency").is_empty() {
        return;
    }
    let (width, height) = (1024, 2048);
    let row = u64::from(width) * 4;
    let kernel = stencil();
    let runtime = engines::runtime("virtual:2:gpu0");
    let a = Buffer::from_slice(&field(width, height));
    let b = Buffer::zeroed((width * height) as usize);
    let first = step(&runtime, &kernel, (width, height), (&a, &b), None);
    // A device that starts late may get no chunk, or take over a part of the other's.
    if first.devices.iter().all(|device| device.chunks > 0 && device.taken_over == 0) {
        let second = step(&runtime, &kernel, (width, height), (&b, &a), None);
        assert!(downloaded(&second) <= 2 * row, "{first} {second}");
        assert!(uploaded(&second) < 2 * row + VALUES, "{first} {second}");
    }
}

#[test]
fn one_device_moves_nothing_after_the_first_launch() {
    if gpus("residency").is_empty() {
        return;
    }
    let runtime = engines::runtime("gpu0");
    let data = Buffer::from_slice(&[5u32; 4096]);
    for turn in 0..4 {
        let report =
            runtime.launch(&increment()).bind("data", &data).invocations([4096, 1, 1]).run();
        let report = report.expect("a launch");
        let up = uploaded(&report);
        assert_eq!(downloaded(&report), 0, "{report}");
        assert!(if turn == 0 { up >= 4 * 4096 } else { up < VALUES }, "turn {turn}: {report}");
    }
    assert_eq!(data.to_vec().expect("a result"), [9; 4096]);
    // After the read, host and device both have valid copies.
    let report = runtime.launch(&increment()).bind("data", &data).invocations([4096, 1, 1]).run();
    assert!(uploaded(&report.expect("a launch")) < VALUES);
    assert_eq!(data.read(7..9).expect("a result"), [10, 10]);
}

#[test]
fn host_writes_between_launches_are_seen_and_the_rest_stays() {
    for selection in gpus("residency") {
        let runtime = engines::runtime(selection);
        let data = Buffer::from_slice(&vec![0u32; 1000]);
        let mut expected = vec![0u32; 1000];
        for turn in 0..6u32 {
            let launch = runtime.launch(&increment()).bind("data", &data);
            launch.invocations([1000, 1, 1]).run().expect("a launch");
            expected.iter_mut().for_each(|word| *word += 1);
            let at = (turn as usize * 317) % 990;
            data.write(at, &[turn, turn, turn]).expect("inside");
            expected[at..at + 3].fill(turn);
            if turn % 3 == 2 {
                assert_eq!(data.to_vec().expect("a result"), expected, "{selection}");
            }
        }
        data.write(0, &[1; 1000]).expect("all of it");
        let launch = runtime.launch(&increment()).bind("data", &data);
        launch.invocations([1000, 1, 1]).run().expect("a launch");
        assert_eq!(data.to_vec().expect("a result"), [2; 1000], "{selection}");
    }
}

#[test]
fn bytes_that_the_host_writes_inside_of_a_word_are_merged_with_a_devices_copy() {
    for selection in gpus("residency") {
        let runtime = engines::runtime(selection);
        let data = Buffer::from_slice(&[0u8; 67]);
        let part = data.slice(0..64).expect("inside");
        let launch = runtime.launch(&increment()).bind("data", &part);
        launch.workgroups([2, 1, 1]).run().expect("a launch");
        data.write(5, &[7, 8, 9, 10]).expect("inside");
        data.write(64, &[3; 3]).expect("inside");
        let launch = runtime.launch(&increment()).bind("data", &part);
        launch.workgroups([2, 1, 1]).run().expect("a launch");
        let mut expected: Vec<u8> = (0..64).map(|i| if i % 4 == 0 { 2 } else { 0 }).collect();
        expected[5..9].copy_from_slice(&[7, 8, 9, 11]);
        expected.extend([3; 3]);
        assert_eq!(data.to_vec().expect("a result"), expected, "{selection}");
    }
}

#[test]
fn parts_of_a_buffer_see_results_of_other_parts_on_devices() {
    for selection in gpus("residency") {
        let runtime = engines::runtime(selection);
        let data = Buffer::from_slice(&vec![0u32; 600]);
        let mut expected = vec![0u32; 600];
        for range in [0..600, 100..300, 200..600, 50..51, 0..600, 301..555] {
            let part = data.slice(range.clone()).expect("inside");
            let count = range.len() as u64;
            let launch = runtime.launch(&increment()).bind("data", &part);
            launch.invocations([count, 1, 1]).run().expect("a launch");
            expected[range].iter_mut().for_each(|word| *word += 1);
        }
        // One launch binds two parts.
        let (low, high) =
            (data.slice(0..300).expect("inside"), data.slice(300..600).expect("inside"));
        let launch = runtime.launch(&affine()).bind("src", &low).bind("dst", &high);
        launch.invocations([300, 1, 1]).run().expect("a launch");
        for i in 0..300 {
            expected[300 + i] = 3 * expected[i] + i as u32;
        }
        let launch = runtime.launch(&increment()).bind("data", &data);
        launch.invocations([600, 1, 1]).run().expect("a launch");
        expected.iter_mut().for_each(|word| *word += 1);
        assert_eq!(data.to_vec().expect("a result"), expected, "{selection}");
    }
}

#[test]
fn two_runtimes_share_a_buffer_and_results_outlive_them() {
    for selection in gpus("residency") {
        let data = Buffer::from_slice(&vec![1u32; 3000]);
        let one = engines::runtime(selection);
        for turn in 0..3 {
            let other = engines::runtime(if turn == 1 { "cpu" } else { "gpu0" });
            for runtime in [&one, &other] {
                let launch = runtime.launch(&increment()).bind("data", &data);
                launch.invocations([3000, 1, 1]).run().expect("a launch");
            }
        }
        drop(one);
        assert_eq!(data.to_vec().expect("a result"), [7; 3000], "{selection}");
    }
}

#[test]
fn merged_buffers_and_columns_see_results_on_devices() {
    let columns = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> m: array<u32>;
         @compute @workgroup_size(8)
         fn columns(@builtin(global_invocation_id) id: vec3<u32>) {
             for (var y = 0u; y < 40u; y++) { if id.x < 64u { m[y * 64u + id.x] *= 2u; } }
         }",
    )
    .expect("valid WGSL");
    let count = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> m: array<u32>;
         @group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>>;
         @compute @workgroup_size(8)
         fn count(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x < arrayLength(&m) { atomicAdd(&bins[m[id.x] % 4u], 1u); }
         }",
    )
    .expect("valid WGSL");
    for selection in gpus("residency") {
        let runtime = engines::runtime(selection);
        let m = Buffer::from_slice(&(0..2560u32).collect::<Vec<_>>());
        let bins = Buffer::<u32>::zeroed(4);
        let add = || {
            let launch = runtime.launch(&increment()).bind("data", &m);
            launch.invocations([2560, 1, 1]).run().expect("a launch");
        };
        add();
        runtime.launch(&columns).bind("m", &m).invocations([64, 1, 1]).run().expect("a launch");
        add();
        let launch = runtime.launch(&count).bind("m", &m).bind("bins", &bins);
        launch.invocations([2560, 1, 1]).run().expect("a launch");
        let launch = runtime.launch(&increment()).bind("data", &bins);
        launch.workgroups([1, 1, 1]).run().expect("a launch");
        let expected: Vec<u32> = (0..2560).map(|i| (i + 1) * 2 + 1).collect();
        let mut counts = [1; 4];
        expected.iter().for_each(|word| counts[*word as usize % 4] += 1);
        assert_eq!(m.to_vec().expect("a result"), expected, "{selection}");
        assert_eq!(bins.to_vec().expect("a result"), counts, "{selection}");
    }
}

#[test]
fn indices_that_a_device_computed_bound_the_next_launch() {
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
    for selection in gpus("residency") {
        let runtime = engines::runtime(selection);
        let at = Buffer::from_slice(&(0..512u32).rev().collect::<Vec<_>>());
        let from = Buffer::from_slice(&(0..1024u32).map(|i| i * i).collect::<Vec<_>>());
        let to = Buffer::<u32>::zeroed(512);
        for turn in 1..4u32 {
            let launch = runtime.launch(&increment()).bind("data", &at);
            launch.invocations([512, 1, 1]).run().expect("a launch");
            let launch =
                runtime.launch(&gather).bind("at", &at).bind("source", &from).bind("picked", &to);
            launch.invocations([512, 1, 1]).run().expect("a launch");
            let expected: Vec<u32> = (0..512).rev().map(|i| (i + turn) * (i + turn)).collect();
            assert_eq!(to.to_vec().expect("a result"), expected, "{selection}");
        }
    }
}

#[test]
fn a_launch_that_fails_poisons_what_was_kept_and_writing_all_of_it_heals() {
    let endless = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(8)
         fn endless(@builtin(global_invocation_id) id: vec3<u32>) {
             while data[id.x] < 1000000u { data[id.x] = 1u; }
         }",
    )
    .expect("valid WGSL");
    for selection in gpus("residency") {
        let runtime = engines::runtime(selection);
        let data = Buffer::from_slice(&[0u32; 256]);
        let launch = runtime.launch(&increment()).bind("data", &data);
        launch.invocations([256, 1, 1]).run().expect("a launch");
        let launch = runtime.launch(&endless).bind("data", &data).loop_budget(1000);
        assert!(launch.invocations([256, 1, 1]).run().is_err());
        assert!(data.to_vec().unwrap_err().to_string().contains("poisoned"), "{selection}");
        data.write(0, &[5; 256]).expect("all of it");
        let launch = runtime.launch(&increment()).bind("data", &data);
        launch.invocations([256, 1, 1]).run().expect("a launch");
        assert_eq!(data.to_vec().expect("a result"), [6; 256], "{selection}");
    }
}

#[test]
fn input_that_the_host_has_too_does_not_bind_all_work_to_the_gpu_that_has_a_copy() {
    if gpus("residency").is_empty() {
        return;
    }
    // Each workgroup reads all of `src`, so that the GPU has all of it after the first launch. The
    // iterations are few, because the interpreter must keep up with the pace.
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> src: array<vec4<u32>>;
         @group(0) @binding(1) var<storage, read_write> out: array<u32>;
         @compute @workgroup_size(1)
         fn main(@builtin(workgroup_id) group: vec3<u32>) {
             var sum = group.x;
             for (var i = 0u; i < arrayLength(&src); i++) { sum += src[i].x; }
             out[group.x] = sum;
         }",
    )
    .expect("valid WGSL");
    // The devices are equal, so that neither is faster alone.
    let workgroup = Duration::from_millis(2);
    let builder = Runtime::builder().devices("cpu,gpu0");
    let runtime = builder.pace("cpu", workgroup).pace("gpu0", workgroup).build().expect("both");
    let (src, out) = (Buffer::from_slice(&[[1u32; 4]; 1024]), Buffer::<u32>::zeroed(32));
    for turn in 0..6 {
        let launch = runtime.launch(&kernel).bind("src", &src).bind("out", &out);
        let launch = launch.workgroups([32, 1, 1]);
        // The first launch measures both devices, and leaves a part of `out` on the GPU.
        let launch = if turn == 0 { launch.chunks(2) } else { launch };
        let report = launch.run().expect("a launch");
        assert!(report.devices.iter().all(|d| d.workgroups >= 4), "turn {turn}: {report}");
    }
    let got = out.to_vec().expect("a result");
    assert!((0u32..).zip(&got).all(|(group, &sum)| sum == group + 1024));
}
