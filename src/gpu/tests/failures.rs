//! Failures are error values, change nothing in host memory, and never panic.

use std::time::Duration;

use super::*;
use crate::device::{Fetch, Store};
use crate::error::{Error, FailureKind, Result};

#[test]
fn an_applications_own_device_is_used_as_it_was_created() {
    let Some(adapter) = adapter() else { return };
    let request = adapter.adapter.request_device(&wgpu::DeviceDescriptor::default());
    let (device, queue) = pollster::block_on(request).expect("the device opens");
    let again = queue.clone();
    let gpu = GpuDevice::from_wgpu(device.clone(), queue, "gpu0".to_owned()).unwrap();
    assert!(!gpu.info().limits.f16);
    assert_eq!(gpu.info().limits.max_invocations, 256);
    assert_eq!(saxpy(&gpu, 5000, 3, 2), saxpy_expected(5000));
    // The application loses the device. Its callbacks are its own; coexec notices all the same.
    device.destroy();
    assert_lost(&gpu);
    assert!(GpuDevice::from_wgpu(device, again, "gpu0".to_owned()).is_err());
}

#[test]
fn a_loop_over_its_budget_is_an_error_and_changes_nothing() {
    let Some(gpu) = device() else { return };
    let kernel = kernel(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(1)
         fn collatz(@builtin(global_invocation_id) id: vec3<u32>) {
             var n = data[id.x];
             var steps = 0u;
             while n != 1u {
                 if n % 2u == 0u { n = n / 2u; } else { n = 3u * n + 1u; }
                 steps++;
             }
             data[id.x] = steps;
         }",
    );
    // Zero never reaches one.
    for (input, fails) in [([6u32, 7, 27], false), ([6, 0, 27], true)] {
        let mut data = Buffer::new(&input);
        let bindings = vec![update(data.host(), 3, 0..3)];
        let mut chunk = chunk(&kernel, [3, 1, 1], GroupBox::whole([3, 1, 1]), bindings);
        chunk.loop_budget = 1000;
        let outcome = run(&gpu, chunk);
        if fails {
            let text = outcome.expect_err("it does not end").to_string();
            assert!(text.contains("1000 iterations") && text.contains("while n != 1u"), "{text}");
            assert_eq!(data.values::<u32>(), input);
        } else {
            outcome.unwrap();
            assert_eq!(data.values::<u32>(), [8, 16, 111]);
        }
    }
}

#[test]
fn a_chunk_that_is_dropped_changes_nothing_and_leaves_the_device_usable() {
    let Some(gpu) = device() else { return };
    let kernel = kernel(THIRDS);
    let mut out = Buffer::new(&[7u32; 32]);
    for _ in 0..3 {
        let bindings = vec![update(out.host(), 32, 0..32)];
        drop(gpu.start(chunk(&kernel, [1; 3], GroupBox::whole([1; 3]), bindings)).unwrap());
    }
    assert_eq!(out.values::<u32>(), [7; 32]);
    assert_eq!(saxpy(&gpu, 1000, 2, 2), saxpy_expected(1000));
}

/// A lost device answers every request with `Error::Device`, and host memory stays.
fn assert_lost(gpu: &GpuDevice) {
    for _ in 0..2 {
        let kernel = kernel(THIRDS);
        let mut out = Buffer::new(&[7u32; 32]);
        let bindings = vec![update(out.host(), 32, 0..32)];
        let outcome = run(gpu, chunk(&kernel, [1; 3], GroupBox::whole([1; 3]), bindings));
        assert!(matches!(outcome, Err(Error::Device { .. })), "{outcome:?}");
        assert_eq!(out.values::<u32>(), [7; 32]);
    }
    assert!(matches!(gpu.prepare(&kernel(SAXPY)), Err(Error::Device { .. })));
}

#[test]
fn a_lost_device_gives_errors_and_no_panic() {
    let Some(gpu) = device() else { return };
    let kernel = kernel(THIRDS);
    let mut out = Buffer::new(&[7u32; 32]);
    let bindings = vec![update(out.host(), 32, 0..32)];
    // The device is lost with a chunk in flight, which either finished before or fails.
    let running = gpu.start(chunk(&kernel, [1; 3], GroupBox::whole([1; 3]), bindings)).unwrap();
    gpu.link.device.destroy();
    match running.finish() {
        Ok(_) => assert_eq!(out.values::<u32>()[..7], [0, 7, 7, 3, 7, 7, 6]),
        Err(Error::Device { .. }) => assert_eq!(out.values::<u32>(), [7; 32]),
        Err(other) => panic!("{other}"),
    }
    assert_lost(&gpu);
}

#[test]
fn a_lost_device_that_gives_no_memory_for_data_is_lost_and_has_not_refused() {
    let Some(adapter) = adapter() else { return };
    let request = adapter.adapter.request_device(&wgpu::DeviceDescriptor::default());
    let (device, queue) = pollster::block_on(request).expect("the device opens");
    // The device-lost callback is the application's, so coexec has none.
    let adopted = GpuDevice::from_wgpu(device, queue, "gpu0".to_owned()).unwrap();
    for gpu in [adopted, super::device().expect("there is an adapter")] {
        let store: &dyn Store = &gpu;
        let block = store.allocate(128).unwrap();
        let mut data = Buffer::new(&[7u32; 32]);
        store.upload(&block, 0, data.host()).unwrap();
        gpu.link.device.destroy();
        let outcome = store.upload(&block, 0, data.host());
        let lost = |outcome: &Result<()>| {
            matches!(outcome, Err(Error::Device { kind: FailureKind::Lost, .. }))
        };
        assert!(lost(&outcome), "{outcome:?}");
        let outcome = store.download(&[Fetch { block, at: 0, to: data.host() }]);
        assert!(lost(&outcome), "{outcome:?}");
        assert_eq!(data.values::<u32>(), [7; 32]);
    }
}

#[test]
fn a_device_that_does_not_answer_is_given_up() {
    let settings = Settings { patience: Some(Duration::from_millis(1)), ..Settings::default() };
    let Some(gpu) = open(settings) else { return };
    let kernel = kernel(
        "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
         @compute @workgroup_size(64)
         fn slow(@builtin(global_invocation_id) id: vec3<u32>) {
             var x = id.x + out[0];
             while x != 1u { x = x * 1664525u + 1013904223u; }
             out[id.x] = x;
         }",
    );
    gpu.prepare(&kernel).unwrap();
    let mut out = Buffer::new(&vec![7u32; 64 * 64]);
    let bindings = vec![update(out.host(), 64 * 64, 0..64 * 64)];
    let mut chunk = chunk(&kernel, [64, 1, 1], GroupBox::whole([64, 1, 1]), bindings);
    chunk.loop_budget = 200_000;
    let outcome = run(&gpu, chunk);
    assert!(
        matches!(&outcome, Err(Error::Device { cause, .. }) if cause.contains("no answer")),
        "{outcome:?}"
    );
    assert!(out.values::<u32>().iter().all(|&word| word == 7));
    assert_lost(&gpu);
}

fn refusal(gpu: &GpuDevice, wgsl: &str) -> String {
    gpu.prepare(&kernel(wgsl)).expect_err("the device refuses").to_string()
}

#[test]
fn a_refused_kernel_says_what_it_needs_and_what_there_is() {
    let Some(gpu) = device() else { return };
    let limits = gpu.info().limits.clone();
    let [x, y, _] = limits.max_workgroup_size;

    let long = format!("@compute @workgroup_size({}) fn long() {{}}", x + 1);
    let text = refusal(&gpu, &long);
    assert!(text.contains(&(x + 1).to_string()) && text.contains(&format!("most {x}")), "{text}");

    let many = limits.max_invocations / x.min(limits.max_invocations) + 1;
    if many <= y {
        let text = refusal(&gpu, &format!("@compute @workgroup_size({x}, {many}) fn many() {{}}"));
        assert!(text.contains(&format!("{} invocations", x * many)), "{text}");
        assert!(text.contains(&format!("at most {}", limits.max_invocations)), "{text}");
    }

    let words = limits.max_workgroup_memory / 4 + 4;
    let text = refusal(
        &gpu,
        &format!(
            "var<workgroup> big: array<u32, {words}>;
             @compute @workgroup_size(1) fn big_tile() {{ big[0] = 1u; }}"
        ),
    );
    assert!(text.contains(&format!("{} bytes", words * 4)), "{text}");
    assert!(text.contains(&limits.max_workgroup_memory.to_string()), "{text}");

    let most = gpu.link.limits.max_uniform_buffer_binding_size;
    let count = most / 16 + 1;
    let text = refusal(
        &gpu,
        &format!(
            "@group(0) @binding(0) var<uniform> big: array<vec4<u32>, {count}>;
             @group(0) @binding(1) var<storage, read_write> out: array<u32>;
             @compute @workgroup_size(1) fn tables() {{ out[0] = big[out[0]].x; }}"
        ),
    );
    assert!(text.contains("`big`") && text.contains(&most.to_string()), "{text}");

    let count = limits.max_storage_bindings + 1;
    if count <= 64 {
        let names = 0..count;
        let variables: String = names
            .clone()
            .map(|i| {
                format!("@group(0) @binding({i}) var<storage, read_write> b{i}: array<u32>;\n")
            })
            .collect();
        let uses: String = names.map(|i| format!("b{i}[0] = 1u;\n")).collect();
        let text = refusal(
            &gpu,
            &format!("{variables}@compute @workgroup_size(1) fn wide() {{ {uses} }}"),
        );
        assert!(text.contains(&format!("{count} storage bindings")), "{text}");
    }
}

#[test]
fn f16_and_subgroups_are_refused_where_they_are_missing_wherever_the_kernel_has_them() {
    let features = wgpu::Features::IMMEDIATES;
    let Some(gpu) = open(Settings { features, ..Settings::default() }) else { return };
    for (statement, what) in [
        ("out[0] = u32(pair.x);", "f16"),
        ("out[0] = u32(f16(f32(out[1])) * 3h);", "f16"),
        ("var local = array<f16, 2>(); out[0] = u32(local[out[1] % 2u]);", "f16"),
        ("out[0] = subgroupAdd(out[1]);", "subgroup operations"),
        ("subgroupBarrier();", "subgroup operations"),
    ] {
        let text = refusal(
            &gpu,
            &format!(
                "enable f16; enable subgroups;
                var<workgroup> pair: vec2<f16>;
                @group(0) @binding(0) var<storage, read_write> out: array<u32>;
                @compute @workgroup_size(1) fn main() {{ out[0] = 1u; {statement} }}"
            ),
        );
        let expected = format!("it uses {what}, which the device does not have");
        assert!(text.contains(&expected), "{statement}: {text}");
    }
}

#[test]
fn a_window_beyond_the_binding_limit_is_an_error_before_anything_runs() {
    let Some(adapter) = adapter() else { return };
    let descriptor = wgpu::DeviceDescriptor {
        required_limits: wgpu::Limits {
            max_storage_buffer_binding_size: 1 << 20,
            ..wgpu::Limits::default()
        },
        ..wgpu::DeviceDescriptor::default()
    };
    let request = adapter.adapter.request_device(&descriptor);
    let (device, queue) = pollster::block_on(request).expect("the device opens");
    let gpu = GpuDevice::from_wgpu(device, queue, "gpu0".to_owned()).unwrap();
    assert_eq!(gpu.info().limits.max_binding, 1 << 20);
    let kernel = kernel(THIRDS);
    let n = (1 << 18) + 1;
    let mut out = Buffer::new(&vec![7u32; n]);
    let whole = 0..n as u64;
    let bindings = vec![update(out.host(), n as u64, whole)];
    let text = run(&gpu, chunk(&kernel, [1; 3], GroupBox::whole([1; 3]), bindings))
        .expect_err("it does not fit")
        .to_string();
    assert!(text.contains("`out`") && text.contains("1048576"), "{text}");
    // The device still works.
    let bindings = vec![update(out.host(), n as u64, 0..32)];
    run(&gpu, chunk(&kernel, [1; 3], GroupBox::whole([1; 3]), bindings)).unwrap();
}

#[test]
fn ranges_that_do_not_fit_together_are_an_internal_error_and_no_panic() {
    let Some(gpu) = device() else { return };
    let kernel = kernel(THIRDS);
    let mut out = Buffer::new(&[7u32; 8]);
    let host = out.host();
    for binding in [
        window(host, 8, 0..9, 0..8, 0..8),
        window(host, 8, 2..6, 0..3, 2..6),
        window(host, 8, 2..6, 2..6, 2..7),
        window(host, 9, 0..9, 0..9, 0..9),
        ChunkBinding::Value(&[0; 4]),
    ] {
        let outcome = run(&gpu, chunk(&kernel, [1; 3], GroupBox::whole([1; 3]), vec![binding]));
        assert!(matches!(outcome, Err(Error::Internal { .. })), "{outcome:?}");
    }
    let outcome = run(&gpu, chunk(&kernel, [1; 3], GroupBox::whole([1; 3]), Vec::new()));
    assert!(matches!(outcome, Err(Error::Internal { .. })), "{outcome:?}");
}

/// Runs one workgroup of four invocations, `l` being the invocation, with `n` = 10.
fn count_turns(gpu: &GpuDevice, body: &str) -> (Result<()>, Vec<u32>) {
    let kernel = kernel(&format!(
        "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
         @group(0) @binding(1) var<uniform> n: u32;
         @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) l: u32) {{
             var turns = 0u;
             {body}
             out[l] = turns;
         }}"
    ));
    let mut out = Buffer::new(&[7u32; 4]);
    let ten = 10u32.to_le_bytes();
    let bindings = vec![update(out.host(), 4, 0..4), ChunkBinding::Value(&ten)];
    let mut chunk = chunk(&kernel, [1; 3], GroupBox::whole([1; 3]), bindings);
    chunk.loop_budget = 1 << 26;
    let outcome = run(gpu, chunk).map(|_| ());
    (outcome, out.values())
}

#[test]
fn loops_that_the_driver_would_cut_short_are_an_error_and_never_a_wrong_answer() {
    let Some(gpu) = device() else { return };
    let long: &[(&str, [u32; 4])] = &[
        ("for (var i = 0u; i < n * 10000u; i++) { turns++; }", [100_000; 4]),
        (
            "for (var i = 0u; i < n * 5000u; i++) { turns++; }
             for (var i = 0u; i < n * 5000u; i++) { turns++; }",
            [100_000; 4],
        ),
        (
            "for (var i = 0u; i < n * 40u; i++) {
                 for (var j = 0u; j < n * 40u; j++) { turns++; }
             }",
            [160_000; 4],
        ),
        // The lanes of a vector count their turns together.
        (
            "for (var i = 0u; i < 4u; i++) {
                 if i == l { for (var j = 0u; j < n * 3000u; j++) { turns++; } }
             }",
            [30_000; 4],
        ),
        (
            "for (var i = 0u; i < n * 10u; i++) {
                 for (var j = 0u; j < n * 100u; j++) { turns++; }
                 workgroupBarrier();
             }",
            [100_000; 4],
        ),
        (
            "for (var i = 0u; i < n * 10000u; i++) { turns++; }
             if l < 9u { out[l] = turns; return; }",
            [100_000; 4],
        ),
        (
            "for (var i = 0u; i < n * 10000u; i++) {
                 turns++;
                 if turns == 99999u { out[l] = turns; return; }
             }",
            [99_999; 4],
        ),
    ];
    for (body, right) in long {
        match count_turns(&gpu, body) {
            (Ok(()), out) => assert_eq!(out, right, "{body}"),
            (Err(Error::EndlessLoop { budget, device, .. }), out) => {
                assert_eq!((budget, device.as_ref()), (65_535, Some(&gpu.info().id)));
                assert_eq!(out, [7; 4], "{body}");
            }
            (Err(other), _) => panic!("{body}: {other}"),
        }
    }
    // Endless loops are an error whatever the driver does.
    for body in
        ["loop { turns++; }", "while n == 10u { turns++; }", "loop { if n == 9u { break; } }"]
    {
        let (outcome, out) = count_turns(&gpu, body);
        assert!(outcome.is_err(), "{body}");
        assert_eq!(out, [7; 4], "{body}");
    }
    // Short loops run.
    for (body, right) in [
        ("for (var i = 0u; i < n * 6000u; i++) { turns++; }", 60_000),
        (
            "for (var i = 0u; i < n * 20u; i++) {
                 for (var j = 0u; j < n * 30u; j++) { turns++; }
                 workgroupBarrier();
             }",
            60_000,
        ),
        ("for (var i = 0u; i < n; i++) { turns++; if turns == 5u { out[l] = 5u; return; } }", 5),
    ] {
        let (outcome, out) = count_turns(&gpu, body);
        outcome.unwrap_or_else(|error| panic!("{body}: {error}"));
        assert_eq!(out, [right; 4], "{body}");
    }
}
