//! Kernels that use subgroups. They are split and verified if all devices form the same subgroups;
//! otherwise they run whole, with the reason.

use coexec::{Buffer, Kernel, Launch, Runtime};

use super::engines;

const N: usize = 64 * 24;

/// A kernel that writes the largest value of each subgroup, which shows the subgroup size.
fn largest() -> Kernel {
    Kernel::from_wgsl(
        "enable subgroups;
         @group(0) @binding(0) var<storage, read> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<f32>;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) g: vec3u) { y[g.x] = subgroupMax(x[g.x]); }",
    )
    .expect("valid WGSL")
}

fn given() -> Vec<f32> {
    (0..N).map(|i| (i * 7919 % 1009) as f32).collect()
}

fn launch(rt: &Runtime, y: &Buffer<f32>) -> Launch {
    let x = Buffer::from_slice(&given());
    rt.launch(&largest()).bind("x", &x).bind("y", y).workgroups([24, 1, 1])
}

/// The results of `largest` with this subgroup size.
fn by_hand(size: usize) -> Vec<f32> {
    let all = given();
    let largest = |i: usize| all[i / size * size..][..size].iter().copied().fold(0.0, f32::max);
    (0..N).map(largest).collect()
}

/// The subgroup size of a runtime's devices.
fn size(rt: &Runtime) -> usize {
    rt.devices()[0].limits.subgroup_size.expect("there are subgroups").0 as usize
}

#[test]
fn devices_whose_subgroups_have_one_size_share_a_kernel_that_uses_them() {
    let mut selections = vec!["virtual:3:cpu".to_owned(), "cpu".to_owned()];
    let gpus = engines::gpu_ids();
    for gpu in &gpus {
        selections.extend([format!("virtual:2:{gpu}"), format!("{gpu},cpu")]);
    }
    for selection in selections {
        let rt = engines::runtime(&selection);
        let y = Buffer::zeroed(N);
        let report = launch(&rt, &y).chunks(6).verify(1.0).run().expect("a launch");
        let shared = rt.devices().iter().all(|device| {
            let size = device.limits.subgroup_size;
            size.is_some_and(|(least, most)| least == most && least as usize == self::size(&rt))
        });
        if selection.ends_with("cpu") && !selection.starts_with("virtual") && !shared {
            // The GPU has a subgroup size that the CPU does not support.
            continue;
        }
        let chunks: u32 = report.devices.iter().map(|device| device.chunks).sum();
        assert_eq!(chunks, 6, "{selection}\n{}{report}", report.plan);
        assert!(y.to_vec().unwrap() == by_hand(size(&rt)), "{selection}");
        let verified = report.verified.as_ref().expect("it was asked for");
        assert_eq!((verified.workgroups(), verified.disputes), (24, 0), "{selection}\n{report}");
    }
    if gpus.is_empty() {
        engines::skip("subgroups", "this machine has no adapter");
    }
}

#[test]
fn subgroups_of_several_sizes_keep_a_launch_whole_and_unverified_with_the_reason() {
    let Some(gpu) = engines::gpu_ids().into_iter().next() else {
        return engines::skip("subgroups of several sizes", "this machine has no adapter");
    };
    let build = Runtime::builder().devices(format!("cpu,{gpu}")).subgroup_size(64).build();
    let rt = build.expect("a runtime");
    let y = Buffer::zeroed(N);
    let launch = launch(&rt, &y).chunks(6).assume_race_free().verify(1.0);
    let report = launch.run().expect("a launch");
    let text = format!("{}{report}", report.plan);
    assert!(text.contains("runs whole on one device: it uses subgroups, whose size"), "{text}");
    for sentence in [
        "6 chunks were requested, and there is one: it uses subgroups, whose size",
        "the promise of freedom from data races has no effect: it uses subgroups",
        "not verified: it uses subgroups, whose size",
        "(line 5)",
    ] {
        assert!(text.contains(sentence), "{sentence}: {text}");
    }
    assert!(report.events.is_empty() && rt.quarantined().is_empty(), "{report}");
}

#[test]
fn wishes_that_change_nothing_are_told_and_others_are_not() {
    let rt = engines::runtime("virtual:2:cpu");
    let y = Buffer::zeroed(N);
    let said = |launch: Launch| launch.plan().expect("a plan").without_effect().to_vec();
    assert_eq!(said(launch(&rt, &y).chunks(24)), [""; 0]);
    let many = said(launch(&rt, &y).chunks(25));
    assert!(many[0].starts_with("25 chunks were requested, and there are 24"), "{many:?}");
    let promised = said(launch(&rt, &y).assume_race_free());
    assert!(promised[0].contains("is not needed"), "{promised:?}");
    // The promise makes a difference for this kernel.
    let shift = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> y: array<f32>;
         @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) g: vec3u) {
             y[(g.x * g.x) % arrayLength(&y)] += 1.0;
         }",
    )
    .expect("valid WGSL");
    let launch = || rt.launch(&shift).bind("y", &y).workgroups([24, 1, 1]);
    assert_eq!(said(launch().assume_race_free()), [""; 0]);
    assert_eq!(said(launch().assume_race_free().chunks(3)), [""; 0]);
    let whole = said(launch().chunks(3));
    assert!(
        whole[0].starts_with("3 chunks were requested, and there is one: along x,"),
        "{whole:?}"
    );
}
