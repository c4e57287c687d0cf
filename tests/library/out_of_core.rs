//! Data beyond a device's memory.

use coexec::{Buffer, Error, Kernel, Report, Runtime};

use super::{affine, engines};

fn budgeted(devices: &str, bytes: u64) -> Runtime {
    let builder = Runtime::builder().devices(devices).memory_budget("gpu0", bytes);
    builder.build().expect("a runtime")
}

fn run(runtime: &Runtime, src: &Buffer<u32>, dst: &Buffer<u32>) -> Report {
    let launch = runtime.launch(&affine()).bind("src", src).bind("dst", dst);
    launch.invocations([src.len() as u64, 1, 1]).run().expect("a launch")
}

#[test]
fn arrays_many_times_a_budget_stream_through_it_exactly() {
    if engines::gpu_ids().is_empty() {
        return engines::skip("out of core", "this machine has no adapter");
    }
    let n = 1 << 20;
    let input: Vec<u32> = (0..n).map(|i: u32| i.wrapping_mul(2_654_435_761)).collect();
    let src = Buffer::from_slice(&input);
    for devices in ["gpu0", "virtual:2:gpu0", "cpu,gpu0"] {
        // 8 MiB of data stream through 256 KiB.
        let runtime = budgeted(devices, 256 << 10);
        let dst = Buffer::<u32>::zeroed(n as usize);
        let mut expected = input.clone();
        for _ in 0..2 {
            let report = run(&runtime, &src, &dst);
            let gpu = report.devices.iter().find(|d| d.id.starts_with("gpu")).expect("a GPU");
            assert!(devices != "gpu0" || gpu.chunks >= 32, "{report}");
        }
        for (i, word) in (0u32..).zip(&mut expected) {
            *word = word.wrapping_mul(3).wrapping_add(i);
        }
        assert!(dst.to_vec().expect("a result") == expected, "{devices}");
    }
}

#[test]
fn windows_of_idle_buffers_make_room_for_others() {
    if engines::gpu_ids().is_empty() {
        return engines::skip("out of core", "this machine has no adapter");
    }
    let runtime = budgeted("gpu0", 256 << 10);
    // Each pair fits the budget, but not all of them.
    let pairs: Vec<(Buffer<u32>, Buffer<u32>)> =
        (0..6u32).map(|n| (Buffer::from_slice(&vec![n; 20_000]), Buffer::zeroed(20_000))).collect();
    for turn in 0..3 {
        for (n, (a, b)) in (0u32..).zip(&pairs) {
            let (src, dst) = if turn % 2 == 0 { (a, b) } else { (b, a) };
            run(&runtime, src, dst);
            let value = |i: u32| (0..=turn).fold(n, |x, _| x.wrapping_mul(3).wrapping_add(i));
            assert_eq!(dst.read(777..778).expect("a result"), [value(777)], "turn {turn}");
        }
    }
}

#[test]
fn budgets_of_missing_devices_and_of_the_cpu_are_refused() {
    let refused = |devices: &str, name: &str| match Runtime::builder()
        .devices(devices)
        .memory_budget(name, 1 << 20)
        .build()
    {
        Err(Error::NoSuchDevice { name: told, .. }) => assert!(told.contains(name)),
        other => panic!("{other:?}"),
    };
    refused("cpu", "gpu7");
    refused("cpu", "cpu");
}

#[test]
fn a_band_that_can_be_cut_no_finer_and_does_not_fit_is_an_error_also_where_another_axis_is_longer()
{
    if engines::gpu_ids().is_empty() {
        return engines::skip("out of core", "this machine has no adapter");
    }
    // Bands of rows write disjoint elements; bands along x can't be shown to. A row takes twice the
    // budget.
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(256)
         fn mixed(@builtin(global_invocation_id) id: vec3<u32>) {
             data[id.y * 4096u + (id.x * 7u) % 4096u] += 1u;
         }",
    )
    .expect("valid WGSL");
    let data = Buffer::<u32>::zeroed(4 * 4096);
    let run = |runtime: &Runtime| {
        runtime.launch(&kernel).bind("data", &data).workgroups([16, 4, 1]).run()
    };
    let got = run(&budgeted("gpu0", 8 << 10));
    assert!(matches!(got, Err(Error::NoDevice { .. })), "{got:?}");
    // The CPU runs the whole launch.
    run(&budgeted("cpu,gpu0", 8 << 10)).expect("a launch");
    assert!(data.to_vec().expect("a result").iter().all(|n| *n == 1));
}
