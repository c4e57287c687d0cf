//! Results whose only copy was on a lost device: they are computed again, to the same bits, or
//! reading the buffer is an error with the reason.

use coexec::{Buffer, Error, Kernel, Launch, Runtime, RuntimeBuilder};

use super::{affine, engines, increment};

/// Two logical GPUs, the first of which has these faults; `None` without an adapter. The first gets
/// every launch of one chunk until it is lost.
fn builder(faults: &str) -> Option<RuntimeBuilder> {
    if engines::gpu_ids().is_empty() {
        engines::skip("the launch log", "this machine has no adapter");
        return None;
    }
    Some(Runtime::builder().devices("virtual:2:gpu0").inject(faults))
}

fn runtime(faults: &str) -> Option<Runtime> {
    Some(builder(faults)?.build().expect("two logical devices"))
}

/// Runs an unrelated chunk, on which the first device fails.
fn one_more_chunk(rt: &Runtime) {
    let other = Buffer::<u32>::zeroed(8);
    let launch = rt.launch(&increment()).bind("data", &other);
    launch.workgroups([1, 1, 1]).chunks(1).run().expect("another device does it");
    assert_eq!(rt.quarantined().len(), 1, "the first device is gone");
}

fn step(rt: &Runtime, kernel: &Kernel, src: &Buffer<u32>, dst: &Buffer<u32>) -> Launch {
    rt.launch(kernel).bind("src", src).bind("dst", dst).invocations([src.len() as u64, 1, 1])
}

fn after(start: impl Fn(u32) -> u32, steps: u32, len: u32) -> Vec<u32> {
    let one = |i: u32| (0..steps).fold(start(i), |x, _| x.wrapping_mul(3).wrapping_add(i));
    (0..len).map(one).collect()
}

/// The ways to lose a device: at the start of a chunk, while it computes, and by destroying the device.
const LOSSES: [&str; 3] = ["lost", "lost-late", "destroy"];

#[test]
fn the_result_of_a_single_launch_outlives_its_device() {
    for loss in LOSSES {
        let Some(rt) = runtime(&format!("gpu0.0:{loss}@2")) else { return };
        let (x, y) = (Buffer::from_slice(&(0..5000).collect::<Vec<u32>>()), Buffer::zeroed(5000));
        step(&rt, &affine(), &x, &y).chunks(1).run().expect("a launch");
        one_more_chunk(&rt);
        assert_eq!(y.to_vec().expect("computed again"), after(|i| i, 1, 5000), "{loss}");
    }
}

#[test]
fn a_stencil_on_two_devices_survives_the_loss_of_one_at_any_step() {
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> src: array<u32>;
         @group(0) @binding(1) var<storage, read_write> dst: array<u32>;
         @compute @workgroup_size(64)
         fn stencil(@builtin(global_invocation_id) id: vec3<u32>) {
             let i = id.x;
             let n = arrayLength(&dst);
             if i > 0u && i + 1u < n { dst[i] = src[i - 1u] + 2u * src[i] + src[i + 1u]; }
         }",
    )
    .expect("valid WGSL");
    let start: Vec<u32> = (0..40_000u32).map(|i| i.wrapping_mul(2_654_435_761)).collect();
    let mut expected = start.clone();
    // The elements at both ends are never written.
    let mut other = vec![7u32; start.len()];
    for _ in 0..9 {
        for i in 1..start.len() - 1 {
            let sum = expected[i - 1].wrapping_add(expected[i].wrapping_mul(2));
            other[i] = sum.wrapping_add(expected[i + 1]);
        }
        std::mem::swap(&mut expected, &mut other);
    }
    for loss in LOSSES {
        for at in [1, 2, 5, 9] {
            let Some(rt) = runtime(&format!("gpu0.0:{loss}@{at}")) else { return };
            let (a, b) = (Buffer::from_slice(&start), Buffer::from_slice(&vec![7; start.len()]));
            for turn in 0..9 {
                let (src, dst) = if turn % 2 == 0 { (&a, &b) } else { (&b, &a) };
                let outcome = step(&rt, &kernel, src, dst).chunks(2).run();
                outcome.unwrap_or_else(|error| panic!("{loss}@{at}, turn {turn}: {error}"));
            }
            assert!(b.to_vec().expect("a result") == expected, "{loss}@{at}");
            assert!(a.to_vec().expect("a result") == other, "{loss}@{at}");
        }
    }
}

#[test]
fn a_report_tells_what_was_computed_once_more_for_it() {
    let Some(rt) = runtime("gpu0.0:lost@3") else { return };
    let kernel = affine();
    let (x, y) = (Buffer::from_slice(&(0..5000).collect::<Vec<u32>>()), Buffer::zeroed(5000));
    let first = step(&rt, &kernel, &x, &y).chunks(1).run().expect("a launch");
    step(&rt, &kernel, &y, &x).chunks(1).run().expect("a launch");
    assert_eq!(first.repeated, 0);
    one_more_chunk(&rt);
    // The launch reads all of `x`, which needs both earlier chunks again.
    let z = Buffer::zeroed(5000);
    let report = step(&rt, &kernel, &x, &z).chunks(1).run().expect("a launch");
    assert_eq!(report.repeated, 2);
    let told = "2 chunks of earlier launches were computed again";
    assert!(report.to_string().contains(told), "{report}");
    assert_eq!(z.to_vec().expect("a result"), after(|i| i, 3, 5000));
    let again = step(&rt, &kernel, &x, &z).chunks(1).run().expect("a launch");
    assert_eq!(again.repeated, 0);
}

#[test]
fn a_kernel_in_place_is_repeated_from_what_it_began_with() {
    let Some(rt) = runtime("gpu0.0:lost-late@5") else { return };
    let data = Buffer::from_slice(&[5u32; 1000]);
    for turn in 0..6 {
        let launch = rt.launch(&increment()).bind("data", &data);
        launch.workgroups([125, 1, 1]).chunks(1).run().unwrap_or_else(|e| panic!("{turn}: {e}"));
    }
    assert_eq!(data.to_vec().expect("a result"), [11; 1000]);
}

#[test]
fn a_sequence_that_loses_its_device_begins_again_where_it_began() {
    for loss in ["lost", "lost-late", "destroy", "map"] {
        for at in [1, 2] {
            let Some(rt) = runtime(&format!("gpu0.0:{loss}@{at}")) else { return };
            let kernel = affine();
            let (a, b) =
                (Buffer::from_slice(&(0..3000).collect::<Vec<u32>>()), Buffer::zeroed(3000));
            let there = step(&rt, &kernel, &a, &b).chunks(1);
            let back = step(&rt, &kernel, &b, &a).chunks(1);
            let sequence = rt.sequence().then(there).then(back);
            let mut events = Vec::new();
            for _ in 0..3 {
                events.extend(sequence.run(50).expect("a sequence").events);
            }
            assert!(!events.is_empty() && events.iter().all(|e| e.device == "gpu0.0"), "{loss}");
            assert_eq!(a.to_vec().expect("a result"), after(|i| i, 300, 3000), "{loss}@{at}");
            assert_eq!(b.to_vec().expect("a result"), after(|i| i, 299, 3000), "{loss}@{at}");
        }
    }
}

#[test]
fn inputs_that_were_overwritten_or_dropped_are_still_known() {
    let Some(rt) = runtime("gpu0.0:lost@4") else { return };
    let kernel = affine();
    let numbers = |from: u32| -> Vec<u32> { (from..from + 2000).collect() };
    let (x, y, z) = (Buffer::from_slice(&numbers(0)), Buffer::zeroed(2000), Buffer::zeroed(2000));
    step(&rt, &kernel, &x, &y).chunks(1).run().expect("a launch");
    x.write(700, &[9, 9, 9]).expect("inside");
    let mut changed = numbers(0);
    changed[700..703].fill(9);
    step(&rt, &kernel, &x, &z).chunks(1).run().expect("a launch");
    x.write(0, &numbers(50)).expect("all of it");
    let gone = Buffer::from_slice(&numbers(100));
    let w = Buffer::zeroed(2000);
    step(&rt, &kernel, &gone, &w).chunks(1).run().expect("a launch");
    drop(gone);
    one_more_chunk(&rt);
    assert_eq!(y.to_vec().expect("computed again"), after(|i| i, 1, 2000));
    assert_eq!(z.to_vec().expect("computed again"), after(|i| changed[i as usize], 1, 2000));
    assert_eq!(w.to_vec().expect("computed again"), after(|i| i + 100, 1, 2000));
    assert_eq!(x.to_vec().expect("the host has it"), numbers(50));
}

#[test]
fn results_beyond_the_logs_memory_are_fetched_in_time() {
    let Some(builder) = builder("gpu0.0:lost@3") else { return };
    // The log has room for a few entries, but not for a copy of `x`.
    let rt = builder.log_memory(16 << 10).build().expect("two logical devices");
    let numbers: Vec<u32> = (0..100_000).collect();
    let (x, y, z) =
        (Buffer::from_slice(&numbers), Buffer::zeroed(100_000), Buffer::zeroed(100_000));
    step(&rt, &affine(), &x, &y).chunks(1).run().expect("a launch");
    x.write(0, &vec![1; 100_000]).expect("all of it");
    step(&rt, &affine(), &x, &z).chunks(1).run().expect("a launch");
    drop(x);
    one_more_chunk(&rt);
    assert_eq!(y.to_vec().expect("the host has it"), after(|i| i, 1, 100_000));
    assert_eq!(z.to_vec().expect("the host has it"), after(|_| 1, 1, 100_000));
}

fn lost_with_a_reason<T: bytemuck::Pod + std::fmt::Debug>(buffer: &Buffer<T>, reason: &str) {
    let error = buffer.to_vec().expect_err("only the lost device had it");
    assert!(matches!(error, Error::Poisoned { .. }), "{error}");
    assert!(error.to_string().contains(reason), "{error}");
}

#[test]
fn a_launch_whose_order_shows_is_not_run_twice_and_the_buffer_says_so() {
    let Some(rt) = runtime("gpu0.0:lost@3") else { return };
    let pack = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> count: array<atomic<u32>>;
         @group(0) @binding(1) var<storage, read_write> packed: array<u32>;
         @compute @workgroup_size(8)
         fn pack(@builtin(global_invocation_id) id: vec3<u32>) {
             packed[atomicAdd(&count[0], 1u)] = id.x;
         }",
    )
    .expect("valid WGSL");
    let (count, packed) = (Buffer::<u32>::zeroed(1), Buffer::<u32>::zeroed(512));
    let launch = rt.launch(&pack).bind("count", &count).bind("packed", &packed);
    launch.invocations([512, 1, 1]).run().expect("a launch");
    // It is not run again for results that depend on it either.
    let y = Buffer::zeroed(512);
    step(&rt, &affine(), &packed, &y).chunks(1).run().expect("a launch");
    one_more_chunk(&rt);
    lost_with_a_reason(&packed, "`pack` is not run twice: its atomics");
    lost_with_a_reason(&y, "`pack` is not run twice: its atomics");
    packed.write(0, &[3; 512]).expect("all of it");
    assert_eq!(packed.to_vec().expect("written again"), [3; 512]);
}

#[test]
fn neighbours_that_race_are_not_run_twice() {
    let Some(rt) = runtime("gpu0.0:lost@2") else { return };
    let relax = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> data: array<u32>;
         @compute @workgroup_size(8)
         fn relax(@builtin(global_invocation_id) id: vec3<u32>) {
             let i = id.x;
             if i + 1u < arrayLength(&data) { data[i] = data[i] + data[i + 1u]; }
         }",
    )
    .expect("valid WGSL");
    let data = Buffer::from_slice(&[1u32; 512]);
    let launch = rt.launch(&relax).bind("data", &data).invocations([512, 1, 1]);
    launch.chunks(1).run().expect("a launch");
    one_more_chunk(&rt);
    lost_with_a_reason(
        &data,
        "`relax` is not run twice: two of its workgroups may access the same memory, in no defined order",
    );
}

#[test]
fn without_a_log_what_only_a_lost_device_had_is_lost() {
    let Some(builder) = builder("gpu0.0:lost@2") else { return };
    let rt = builder.log_memory(0).build().expect("two logical devices");
    let (x, y) = (Buffer::from_slice(&[1u32; 100]), Buffer::zeroed(100));
    step(&rt, &affine(), &x, &y).chunks(1).run().expect("a launch");
    one_more_chunk(&rt);
    lost_with_a_reason(&y, "the launch log has no record of how they were computed");
    assert_eq!(x.to_vec().expect("the host has it"), [1; 100]);
}

#[test]
fn what_no_device_can_compute_again_now_comes_back_with_a_device() {
    let Some(rt) = runtime("gpu0.0:lost@2,gpu0.1:lost@1") else { return };
    let (x, y) = (Buffer::from_slice(&[1u32; 100]), Buffer::zeroed(100));
    step(&rt, &affine(), &x, &y).chunks(1).run().expect("a launch");
    let other = Buffer::<u32>::zeroed(8);
    let launch = rt.launch(&increment()).bind("data", &other).workgroups([1, 1, 1]);
    assert!(matches!(launch.run(), Err(Error::NoDevice { .. })));
    lost_with_a_reason(&y, "gpu0.1: quarantined (lost)");
    for (id, outcome) in rt.retry_quarantined() {
        outcome.unwrap_or_else(|error| panic!("{id}: {error}"));
    }
    assert_eq!(y.to_vec().expect("computed again"), after(|_| 1, 1, 100));
}
