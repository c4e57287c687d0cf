//! The launch log is bounded, and keeps no entry that is not needed.

use std::sync::Arc;

use crate::kernel::Kernel;
use crate::memory::Buffer;
use crate::runtime::api::LOG_MEMORY;
use crate::runtime::{Launch, Runtime};

/// A runtime of the first adapter with a log of `log` bytes; `None` if there is no adapter.
fn gpu(log: u64) -> Option<Runtime> {
    let built = Runtime::builder().devices("gpu0").inject("").log_memory(log).build();
    let required = std::env::var("COEXEC_REQUIRE_GPU").is_ok_and(|value| value == "1");
    match built {
        Ok(runtime) => Some(runtime),
        Err(error) => {
            assert!(!required, "{error}");
            eprintln!("SKIPPED: {error}");
            None
        }
    }
}

fn affine() -> Kernel {
    Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read> src: array<u32>;
         @group(0) @binding(1) var<storage, read_write> dst: array<u32>;
         @compute @workgroup_size(64)
         fn affine(@builtin(global_invocation_id) id: vec3<u32>) {
             if id.x < arrayLength(&dst) { dst[id.x] = 3u * src[id.x] + id.x; }
         }",
    )
    .expect("valid WGSL")
}

fn step(rt: &Runtime, kernel: &Kernel, src: &Buffer<u32>, dst: &Buffer<u32>) -> Launch {
    rt.launch(kernel).bind("src", src).bind("dst", dst).invocations([src.len() as u64, 1, 1])
}

#[test]
fn a_log_of_many_launches_stays_within_its_memory_and_ends_with_its_buffers() {
    const MEMORY: u64 = 256 << 10;
    let Some(rt) = gpu(MEMORY) else { return };
    let (kernel, log) = (affine(), Arc::clone(&rt.resources.log));
    let (a, b) = (Buffer::from_slice(&(0..1000).collect::<Vec<u32>>()), Buffer::zeroed(1000));
    let (mut most, mut least_after) = (0, u64::MAX);
    for turn in 0..10_000 {
        let (src, dst) = if turn % 2 == 0 { (&a, &b) } else { (&b, &a) };
        step(&rt, &kernel, src, dst).run().expect("a launch");
        let (entries, bytes) = log.size();
        most = most.max(entries);
        assert!(bytes <= MEMORY, "{bytes} bytes at launch {turn}");
        if turn > 100 {
            least_after = least_after.min(entries);
        }
    }
    // It has grown, and checkpoints have cut it short.
    assert!(most > 10 && least_after < 3, "{least_after} to {most} entries");
    let after = |i: u32| (0..10_000).fold(i, |x: u32, _| x.wrapping_mul(3).wrapping_add(i));
    assert_eq!(a.to_vec().expect("a result"), (0..1000).map(after).collect::<Vec<u32>>());
    drop((a, b));
    assert_eq!(log.size(), (0, 0));
}

#[test]
fn what_is_saved_for_others_while_the_host_reads_makes_them_come_too() {
    let Some(rt) = gpu(64 << 10) else { return };
    let (kernel, log) = (affine(), Arc::clone(&rt.resources.log));
    let (a, b) = (Buffer::from_slice(&[1u32; 40_000]), Buffer::zeroed(40_000));
    step(&rt, &kernel, &a, &b).run().expect("a launch");
    step(&rt, &kernel, &b, &a).run().expect("a launch");
    let before = log.size();
    assert!(before.0 == 2 && before.1 < 64 << 10, "{before:?}");
    // `b` was computed from the bytes of `a` in host memory, which reading `a` overwrites.
    assert_eq!(a.read(..2).expect("a result"), [9, 13]);
    assert_eq!(log.size().0, 2, "a few bytes are saved");
    assert_eq!(a.to_vec().expect("a result")[3], 9 + 3 * 3 + 3);
    assert_eq!(log.size(), (0, 0), "all would be too many: `b` is on the host, too");
    assert_eq!(b.read(7..8).expect("a result"), [10]);
}

#[test]
fn entries_go_when_what_they_made_is_read_overwritten_or_dropped() {
    let Some(rt) = gpu(LOG_MEMORY) else { return };
    let (kernel, log) = (affine(), Arc::clone(&rt.resources.log));
    let launched = || {
        let (x, y) = (Buffer::from_slice(&[1u32; 5000]), Buffer::<u32>::zeroed(5000));
        step(&rt, &kernel, &x, &y).run().expect("a launch");
        assert_eq!(log.size().0, 1);
        (x, y)
    };
    let (_x, y) = launched();
    y.to_vec().expect("a result");
    assert_eq!(log.size(), (0, 0), "read");

    let (x, y) = launched();
    let alone = log.size().1;
    x.write(10, &[7; 100]).expect("inside");
    assert_eq!(log.size().1, alone + 400, "the log has what was overwritten of its input");
    x.write(10, &[8; 100]).expect("inside");
    assert_eq!(log.size().1, alone + 400, "once");
    y.write(0, &[2; 5000]).expect("all of it");
    assert_eq!(log.size(), (0, 0), "overwritten");

    let (x, y) = launched();
    drop(x);
    assert_eq!(log.size().1, alone + 20_000, "the log has what was dropped");
    drop(y);
    assert_eq!(log.size(), (0, 0), "dropped");

    // Step after step from the same input: one pin, and one entry.
    let (x, y) = (Buffer::from_slice(&[1u32; 5000]), Buffer::<u32>::zeroed(5000));
    for _ in 0..50 {
        step(&rt, &kernel, &x, &y).run().expect("a launch");
        assert_eq!(log.size().0, 1, "the one before is overwritten");
    }
    drop(y);
    assert_eq!(log.size(), (0, 0));
}
