//! Communication of invocations: atomics, barriers, subgroups. Also the device around them.

use std::sync::Arc;

use super::{bindings, device, launch, launch_on, output};
use crate::cpu::program::Program;
use crate::cpu::widths::Widths;
use crate::cpu::{CpuDevice, CpuOptions};
use crate::device::Engine;
use crate::device::{Chunk, Device};
use crate::error::Error;
use crate::grid::GroupBox;
use crate::kernel::Kernel;

#[test]
fn atomics_add_up_over_all_workgroups() {
    let text = "
        struct A { sum: atomic<u32>, low: atomic<i32>, high: atomic<i32>, bits: atomic<u32>, xor: atomic<u32>, umax: atomic<u32>, left: atomic<i32>, all: atomic<u32> }
        @group(0) @binding(0) var<storage, read_write> a: A;
        @compute @workgroup_size(50) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let i = id.x;
            atomicAdd(&a.sum, i);
            atomicMin(&a.low, 10 - i32(i));
            atomicMax(&a.high, i32(i) - 500);
            atomicOr(&a.bits, 1u << (i % 20u));
            atomicXor(&a.xor, i);
            atomicMax(&a.umax, i);
            atomicSub(&a.left, 2);
            atomicAnd(&a.all, ~(1u << (i % 7u)));
        }";
    let n = 50 * 40u32;
    let mut data = [vec![0, 0, i32::MIN as u32, 0, 0, 0, 0, u32::MAX]];
    launch(text, [40, 1, 1], &mut data);
    let xor = (0..n).fold(0, |x, i| x ^ i);
    let left = -2 * n as i32;
    let wanted = [
        n * (n - 1) / 2,
        (10 - (n as i32 - 1)) as u32,
        n - 1 - 500,
        0xf_ffff,
        xor,
        n - 1,
        left as u32,
        !0x7f,
    ];
    assert_eq!(data[0], wanted);
}

#[test]
fn atomics_give_the_old_value_and_respect_bounds() {
    let text = "
        var<workgroup> w: array<atomic<u32>, 4>;
        @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
            atomicStore(&w[i], 10u + i);
            out[i] = atomicExchange(&w[i], 20u);
            let done = atomicCompareExchangeWeak(&w[i], select(5u, 20u, i < 2u), 30u);
            out[4u + i] = done.old_value + select(0u, 100u, done.exchanged);
            out[8u + i] = atomicLoad(&w[i]);
            // Index 4 to 7: not there.
            out[12u + i] = atomicAdd(&w[4u + out[20u] + i], 1u) + atomicLoad(&w[4u + out[20u] + i]);
            atomicStore(&w[4u + out[20u] + i], 1u);
            out[16u + i] = atomicAdd(&w[0], 1u);
        }";
    let out = output(text, 21);
    assert_eq!(out[..4], [10, 11, 12, 13]);
    assert_eq!(out[4..8], [120, 120, 20, 20]);
    assert_eq!(out[8..12], [30, 30, 20, 20]);
    assert_eq!(out[12..16], [0; 4]);
    assert_eq!(out[16..20], [30, 31, 32, 33]);
}

#[test]
fn workgroups_reduce_over_barriers() {
    let text = "
        @group(0) @binding(0) var<storage> src: array<u32>;
        @group(0) @binding(1) var<storage, read_write> sums: array<u32>;
        var<workgroup> part: array<u32, 64>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) i: u32, @builtin(workgroup_id) w: vec3<u32>) {
            part[i] = src[id.x];
            for (var step = 32u; step > 0u; step >>= 1u) {
                workgroupBarrier();
                if i < step { part[i] += part[i + step]; }
            }
            let total = workgroupUniformLoad(&part[0]);
            if i == 63u { sums[w.x] = total; }
        }";
    let src: Vec<u32> = (0..64 * 9 - 5).map(|i| i * i).collect();
    let wanted: Vec<u32> = src.chunks(64).map(|part| part.iter().sum()).collect();
    let mut data = [src, vec![0; 9]];
    launch(text, [9, 1, 1], &mut data);
    assert_eq!(data[1], wanted);
}

#[test]
fn a_look_back_scan_makes_progress() {
    // Each workgroup waits for the one before it.
    let text = "
        @group(0) @binding(0) var<storage, read_write> flags: array<atomic<u32>>;
        @compute @workgroup_size(1) fn main(@builtin(workgroup_id) w: vec3<u32>) {
            var before = 1u;
            if w.x > 0u {
                before = 0u;
                loop { before = atomicLoad(&flags[w.x - 1u]); if before != 0u { break; } }
            }
            storageBarrier();
            atomicStore(&flags[w.x], before + 1u);
        }";
    let mut data = [vec![0; 300]];
    launch_on(device(), text, [300, 1, 1], &mut data, 1 << 30).unwrap();
    let wanted: Vec<u32> = (2..302).collect();
    assert_eq!(data[0], wanted);
}

/// The body runs in 20 invocations with subgroups of 8: 8, 8 and 4 lanes.
fn subgroups(body: &str) -> Vec<u32> {
    let device =
        CpuDevice::new(CpuOptions { threads: Some(1), subgroup_size: 8, ..CpuOptions::default() })
            .unwrap();
    let text = format!(
        "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(20) fn main(@builtin(local_invocation_index) i: u32,
            @builtin(subgroup_invocation_id) s: u32, @builtin(subgroup_size) size: u32,
            @builtin(subgroup_id) id: u32, @builtin(num_subgroups) n: u32) {{
            {body}
        }}"
    );
    let mut data = [vec![0; 20]];
    launch_on(&device, &text, [1, 1, 1], &mut data, 1).unwrap();
    let [out] = data;
    out
}

#[test]
fn subgroup_operations_follow_their_definitions() {
    type Case = (&'static str, fn(u32) -> u32);
    // The subgroup of an invocation.
    fn lanes(i: u32) -> std::ops::Range<u32> {
        (i / 8 * 8)..(i / 8 * 8 + 8).min(20)
    }
    let cases: &[Case] = &[
        ("out[i] = s + 100u * size + 10000u * id + 100000u * n;", |i| {
            i % 8 + 800 + 10_000 * (i / 8) + 300_000
        }),
        ("out[i] = subgroupAdd(i);", |i| lanes(i).sum()),
        ("if i % 2u == 1u { out[i] = subgroupAdd(i); }", |i| {
            if i % 2 == 1 { lanes(i).filter(|l| l % 2 == 1).sum() } else { 0 }
        }),
        ("out[i] = subgroupMax(i) * 100u + subgroupMin(i);", |i| {
            (lanes(i).end - 1) * 100 + lanes(i).start
        }),
        ("out[i] = u32(subgroupMin(-i32(i)) + 30);", |i| 30 - (lanes(i).end - 1)),
        ("out[i] = subgroupMul(i % 8u + 1u);", |i| lanes(i).map(|l| l % 8 + 1).product()),
        ("out[i] = u32(subgroupMul(f32(i % 3u + 1u)));", |i| lanes(i).map(|l| l % 3 + 1).product()),
        ("out[i] = subgroupInclusiveAdd(i);", |i| (lanes(i).start..=i).sum()),
        ("out[i] = subgroupExclusiveAdd(i) + subgroupExclusiveMul(i + 1u) * 0u;", |i| {
            (lanes(i).start..i).sum()
        }),
        ("out[i] = subgroupInclusiveMul(i % 8u + 1u) + subgroupExclusiveMul(i % 8u + 1u);", |i| {
            (lanes(i).start..=i).map(|l| l % 8 + 1).product::<u32>()
                + (lanes(i).start..i).map(|l| l % 8 + 1).product::<u32>()
        }),
        ("out[i] = subgroupAnd(i | 8u) + 100u * subgroupOr(i) + 10000u * subgroupXor(i);", |i| {
            lanes(i).fold(!0, |x, l| x & (l | 8))
                + 100 * lanes(i).fold(0, |x, l| x | l)
                + 10_000 * lanes(i).fold(0, |x, l| x ^ l)
        }),
        (
            "out[i] = select(0u, 1u, subgroupAll(i < 10u)) + select(0u, 2u, subgroupAny(i < 10u));",
            |i| [3, 2, 0][i as usize / 8],
        ),
        ("if i > 2u { out[i] = subgroupBallot(i % 3u == 0u).x; }", |i| {
            if i > 2 {
                lanes(i).filter(|&l| l % 3 == 0 && l > 2).map(|l| 1 << (l % 8)).sum()
            } else {
                0
            }
        }),
        ("out[i] = subgroupBroadcast(i, 3u);", |i| lanes(i).start + 3),
        ("if i % 8u > 1u { out[i] = subgroupBroadcastFirst(i); }", |i| {
            if i % 8 > 1 { lanes(i).start + 2 } else { 0 }
        }),
        ("out[i] = subgroupShuffle(i, 3u - s % 4u);", |i| lanes(i).start + 3 - i % 4),
        ("out[i] = subgroupShuffleUp(vec2(i, i * 10u), 1u).y;", |i| {
            if i % 8 == 0 { 0 } else { (i - 1) * 10 }
        }),
        ("out[i] = subgroupShuffleDown(i, 2u);", |i| {
            if lanes(i).contains(&(i + 2)) { i + 2 } else { 0 }
        }),
        ("out[i] = subgroupShuffleXor(i, 1u);", |i| i ^ 1),
        ("out[i] = quadBroadcast(i, 2u);", |i| i / 4 * 4 + 2),
        ("out[i] = quadSwapX(i) + 100u * quadSwapY(i) + 10000u * quadSwapDiagonal(i);", |i| {
            (i ^ 1) + 100 * (i ^ 2) + 10_000 * (i ^ 3)
        }),
        ("subgroupBarrier(); out[i] = i;", |i| i),
    ];
    for (body, wanted) in cases {
        let wanted: Vec<u32> = (0..20).map(wanted).collect();
        assert_eq!(subgroups(body), wanted, "{body}");
    }
}

#[test]
fn a_grid_with_a_zero_does_nothing_and_succeeds() {
    let text = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(1) fn main() { out[0] = 1u; }";
    let mut data = [vec![0]];
    launch(text, [7, 0, 3], &mut data);
    assert_eq!(data[0], [0]);
}

#[test]
fn a_launch_inside_a_rayon_job_ends() {
    let text = "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3<u32>) { out[id.x] = id.x; }";
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|_| {
                let mut data = [vec![0; 800]];
                launch(text, [100, 1, 1], &mut data);
                assert_eq!(data[0], (0..800).collect::<Vec<u32>>());
            });
        }
    });
}

#[test]
fn a_device_says_what_it_is_and_refuses_bad_options() {
    let interpreter =
        CpuOptions { threads: Some(2), engine: Engine::Interpreter, ..CpuOptions::default() };
    let info = CpuDevice::new(interpreter).unwrap().info().clone();
    assert!(info.name.contains("2 threads"), "{}", info.name);
    assert_eq!(info.driver, "interpreter");
    assert_eq!(info.advice, None);
    let bad = CpuDevice::new(CpuOptions { subgroup_size: 7, ..CpuOptions::default() });
    assert!(matches!(bad, Err(Error::Device { .. })));
    let bad = CpuDevice::new(CpuOptions { vector_bits: Some(1024), ..CpuOptions::default() });
    assert!(matches!(bad, Err(Error::Device { .. })));
    assert_eq!("auto".parse::<Engine>().unwrap(), Engine::Auto);
    assert_eq!(Engine::Interpreter.to_string().parse::<Engine>().unwrap(), Engine::Interpreter);
    assert!("fast".parse::<Engine>().is_err());
}

#[test]
fn a_kernel_is_compiled_once() {
    let kernel = Kernel::from_wgsl("@compute @workgroup_size(1) fn main() { }").unwrap();
    let widths = |subgroup| Widths { subgroup, ..Widths::default() };
    let first = Program::of(&kernel, Engine::Interpreter, widths(32)).unwrap();
    let clone = Program::of(&kernel.clone(), Engine::Interpreter, widths(32)).unwrap();
    assert!(Arc::ptr_eq(&first, &clone), "clones of a kernel share programs");
    let other = Program::of(&kernel, Engine::Interpreter, widths(8)).unwrap();
    assert!(!Arc::ptr_eq(&first, &other), "subgroups of 8 are another program");
    let freed = Arc::downgrade(&first);
    drop((first, clone, kernel));
    assert!(freed.upgrade().is_none(), "programs go with their kernel");
}

#[test]
fn the_time_in_which_a_chunk_is_compiled_is_no_part_of_what_it_took() {
    // A row of a single workgroup does not fill a pack, so its program is compiled when it is first needed.
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> a: array<u32, 64>;
        @compute @workgroup_size(1) fn main() {
            for (var i = 0u; i < 64u; i++) {
                var x = a[i];
                for (var k = 0u; k < 8u; k++) { x = (x ^ (x >> 3u)) * 2654435761u + k; }
                a[i] = x;
            }
        }",
    )
    .unwrap();
    let device = CpuDevice::new(CpuOptions { engine: Engine::Cranelift, ..CpuOptions::default() });
    let device = device.unwrap();
    device.prepare(&kernel).unwrap();
    let run = || {
        let mut data = [vec![1; 64]];
        let (groups, bindings) = (GroupBox::whole([1; 3]), bindings(&kernel, &mut data));
        let chunk = Chunk::new(&kernel, [1; 3], groups, bindings, 1 << 20);
        let begun = std::time::Instant::now();
        let cost = device.start(chunk).unwrap().finish().unwrap();
        (cost.busy, begun.elapsed())
    };
    let (busy, elapsed) = run();
    assert!(busy < elapsed / 3, "it took {busy:?} of {elapsed:?}");
    assert!((0..20).any(|_| run().1 < elapsed / 3), "nothing was compiled: {elapsed:?}");
}
