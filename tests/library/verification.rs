//! Verified launches. A kernel whose results may differ between devices is not compared. The report
//! says how much was compared and by which device, or why nothing was.

use coexec::{Buffer, Kernel, Report, Runtime};

use super::engines;

fn kernel(text: &str) -> Kernel {
    Kernel::from_wgsl(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn kernels_that_show_in_which_order_they_ran_are_not_verified_and_the_line_is_named() {
    let tickets = "@group(0) @binding(0) var<storage, read_write> next: atomic<u32>;
@group(0) @binding(1) var<storage, read_write> ticket: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3u) {
    if g.x % 2u == 0u { ticket[g.x] = atomicAdd(&next, 1u); }
}";
    let of_workgroup = "@group(0) @binding(1) var<storage, read_write> ticket: array<u32>;
var<workgroup> next: atomic<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3u) {
    ticket[g.x] = atomicAdd(&next, 1u);
}";
    let last = "@group(0) @binding(1) var<storage, read_write> ticket: array<u32>;
var<workgroup> last: atomic<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3u) {
    atomicExchange(&last, g.x);
    workgroupBarrier();
    ticket[g.x] = atomicLoad(&last);
}";
    let signal = "@group(0) @binding(0) var<storage, read_write> next: atomic<u32>;
@group(0) @binding(1) var<storage, read_write> ticket: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3u) {
    atomicStore(&next, g.x);
    ticket[g.x] = atomicLoad(&next);
}";
    let store = "@group(0) @binding(1) var<storage, read_write> ticket: array<atomic<u32>>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3u) {
    atomicStore(&ticket[g.x % 7u], g.x);
}";
    let all = [(tickets, 4), (of_workgroup, 4), (last, 4), (signal, 5), (store, 3)];
    for (text, line) in all {
        let mut devices = vec!["cpu", "virtual:2:cpu"];
        if !engines::gpu_ids().is_empty() {
            devices.push("cpu,gpu0");
        }
        for devices in devices {
            let rt = engines::runtime(devices);
            let (next, ticket) = (Buffer::<u32>::zeroed(1), Buffer::<u32>::zeroed(64 * 50));
            let kernel = kernel(text);
            let mut launch = rt.launch(&kernel).bind("ticket", &ticket).workgroups([50, 1, 1]);
            if text.contains("> next") && text.contains("binding(0)") {
                launch = launch.bind("next", &next);
            }
            let report = launch.verify(1.0).run().expect("a launch");
            let why = report.verified.as_ref().and_then(|verified| verified.not_done.as_ref());
            let why = why.unwrap_or_else(|| panic!("it was verified: {report}"));
            assert!(why.ends_with(&format!("ran (line {line})")), "{why}");
            assert!(report.to_string().contains(&format!("not verified: {why}")), "{report}");
            assert!(report.events.is_empty() && rt.quarantined().is_empty(), "{report}");
        }
    }
}

#[test]
fn atomic_stores_that_lie_apart_are_verified() {
    let clear = kernel(
        "@group(0) @binding(0) var<storage, read_write> y: array<atomic<u32>>;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) g: vec3u) { atomicStore(&y[g.x], 0u); }",
    );
    for devices in ["cpu", "virtual:2:cpu"] {
        let (rt, y) = (engines::runtime(devices), Buffer::from_slice(&[3u32; 640]));
        let launch = rt.launch(&clear).bind("y", &y).workgroups([10, 1, 1]);
        let verified = launch.verify(1.0).run().expect("a launch").verified.expect("asked for");
        assert_eq!((verified.workgroups(), &verified.not_done), (10, &None), "{devices}");
    }
}

#[test]
fn the_report_says_how_much_was_verified_by_which_device() {
    let double = kernel(
        "@group(0) @binding(0) var<storage, read_write> y: array<u32>;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) g: vec3u) { y[g.x] = 2u * y[g.x]; }",
    );
    let run = |devices: &str, fraction: f64| -> Report {
        let (rt, y) = (engines::runtime(devices), Buffer::from_slice(&[3u32; 640]));
        let launch = rt.launch(&double).bind("y", &y).workgroups([10, 1, 1]);
        let launch = if fraction > 0.0 { launch.verify(fraction) } else { launch };
        let report = launch.chunks(10).run().expect("a launch");
        assert_eq!(y.to_vec().unwrap(), [6; 640]);
        report
    };
    let alone = run("cpu", 1.0);
    let verified = alone.verified.as_ref().expect("it was asked for");
    assert_eq!((verified.workgroups(), verified.parts.len()), (10, 1));
    let line = "verified 10 workgroups: 10 of cpu by the CPU's interpreter; all agree, floats within \
                1e-6 or 1e-5 of the larger one, integers exactly\n";
    assert!(alone.to_string().contains(line), "{alone}");
    let two = run("virtual:2:cpu", 1.0).verified.expect("it was asked for");
    assert_eq!(two.workgroups(), 10);
    for part in &two.parts {
        assert!(part.by.starts_with("cpu.") && part.by != part.device, "{part:?}");
    }
    assert!(run("virtual:2:cpu", 1e-9).verified.is_some_and(|v| (1..10).contains(&v.workgroups())));
    assert_eq!(run("cpu", 0.0).verified, None);
}

#[test]
fn integers_that_are_made_of_floats_are_verified_within_a_tolerance() {
    if engines::gpu_ids().is_empty() {
        return engines::skip("fixed point", "this machine has no adapter");
    }
    let fixed = kernel(
        "@group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<i32>;
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3u) {
             y[g.x] = i32((x[g.x] * x[g.x] * 0.3 + x[g.x]) * 1e7);
         }",
    );
    let x: Vec<f32> = (0..6400).map(|i| (i * 7919 % 10007) as f32 / 10007.0).collect();
    let rt = Runtime::builder().devices("cpu,gpu0").build().expect("a runtime");
    let (x, y) = (Buffer::from_slice(&x), Buffer::<i32>::zeroed(6400));
    let launch = rt.launch(&fixed).bind("x", &x).bind("y", &y).workgroups([100, 1, 1]);
    let report = launch.chunks(20).verify(1.0).integer_tolerance(16).run().expect("a launch");
    let verified = report.verified.as_ref().expect("it was asked for");
    assert_eq!((verified.workgroups(), verified.disputes), (100, 0), "{report}");
    assert!(report.to_string().contains("integers within 16"), "{report}");
    assert!(report.events.is_empty() && rt.quarantined().is_empty(), "{report}");
}
