//! Chunks give the kernel's results, however a launch is cut and wherever the block lives.

use super::*;
use crate::region::Region;

#[test]
fn saxpy_is_the_same_whole_and_split_into_windows() {
    let Some(gpu) = device() else { return };
    for parts in [1, 2, 3, 7] {
        assert_eq!(saxpy(&gpu, 10_000, parts, 1), saxpy_expected(10_000), "{parts} chunks");
    }
}

#[test]
fn many_chunks_in_flight_from_one_thread_give_the_same_result() {
    let Some(gpu) = device() else { return };
    for in_flight in [2, 3, 8] {
        assert_eq!(saxpy(&gpu, 10_000, 8, in_flight), saxpy_expected(10_000));
    }
}

#[test]
fn several_threads_may_use_one_device_at_once() {
    let Some(gpu) = device() else { return };
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let gpu = &gpu;
            scope.spawn(move || {
                for round in 0..5 {
                    let n = 3000 + 64 * worker + round;
                    assert_eq!(saxpy(gpu, n, 5, 2), saxpy_expected(n));
                }
            });
        }
    });
}

#[test]
fn logical_devices_on_one_adapter_work_at_once() {
    let Some(adapter) = adapter() else { return };
    std::thread::scope(|scope| {
        for i in 0..3 {
            let adapter = &adapter;
            scope.spawn(move || {
                let gpu = GpuDevice::open_with(adapter, format!("gpu0.{i}"), Settings::default())
                    .expect("it opens");
                assert_eq!(gpu.info().id, format!("gpu0.{i}"));
                assert_eq!(saxpy(&gpu, 5000, 3, 2), saxpy_expected(5000));
            });
        }
    });
}

#[test]
fn without_immediates_the_block_is_a_uniform_and_the_result_is_the_same() {
    let features = limits::WANTED - wgpu::Features::IMMEDIATES;
    let Some(gpu) = open(Settings { features, poison: true, ..Settings::default() }) else {
        return;
    };
    assert_eq!(gpu.link.immediate_bytes(), 0);
    assert_eq!(saxpy(&gpu, 10_000, 3, 2), saxpy_expected(10_000));
    assert_eq!(numbered(&gpu, [70_000, 1, 1]), numbered_expected([70_000, 1, 1]));
}

#[test]
fn elements_that_a_kernel_does_not_write_survive_a_poisoned_pool() {
    let Some(gpu) = device() else { return };
    let kernel = kernel(THIRDS);
    let n = 1000u32;
    let grid = [n.div_ceil(32), 1, 1];
    for parts in [1, 2, 7] {
        let mut out = Buffer::new(&vec![7u32; n as usize]);
        let host = out.host();
        for band in cut(grid[0], parts) {
            let elements = u64::from(band.start) * 32..u64::from(band.end * 32).min(1000);
            let groups = GroupBox::whole(grid).band(0, band.start, band.end);
            run(&gpu, chunk(&kernel, grid, groups, vec![update(host, 1000, elements)])).unwrap();
        }
        let expected: Vec<u32> = (0..n).map(|i| if i % 3 == 0 { i } else { 7 }).collect();
        assert_eq!(out.values::<u32>(), expected);
    }
}

#[test]
fn poison_shows_where_nothing_was_uploaded() {
    let Some(gpu) = device() else { return };
    let kernel = kernel(THIRDS);
    let mut out = Buffer::new(&[7u32; 8]);
    let bindings = vec![window(out.host(), 8, 0..8, 0..2, 0..8)];
    run(&gpu, chunk(&kernel, [1; 3], GroupBox::whole([1; 3]), bindings)).unwrap();
    let poison = u32::from_le_bytes([0xCD; 4]);
    assert_eq!(out.values::<u32>(), [0, 7, poison, 3, poison, poison, 6, poison]);
}

#[test]
fn only_the_write_back_range_reaches_the_host() {
    let Some(gpu) = device() else { return };
    let kernel = kernel(THIRDS);
    let mut out = Buffer::new(&[7u32; 32]);
    let bindings = vec![window(out.host(), 32, 2..30, 2..30, 5..10)];
    let cost = run(&gpu, chunk(&kernel, [1; 3], GroupBox::whole([1; 3]), bindings)).unwrap();
    assert_eq!((cost.uploaded >= 28 * 4, cost.downloaded), (true, 20));
    let expected: Vec<u32> = (0..32).map(|i| if i == 6 || i == 9 { i } else { 7 }).collect();
    assert_eq!(out.values::<u32>(), expected);
}

const PARTICLES: &str = "
    struct Particles { bias: f32, count: u32, tail: array<f32> }
    @group(0) @binding(0) var<storage, read_write> particles: Particles;
    @group(0) @binding(1) var<storage, read_write> lengths: array<u32>;
    @compute @workgroup_size(4)
    fn move_all(
        @builtin(global_invocation_id) id: vec3<u32>,
        @builtin(num_workgroups) groups: vec3<u32>,
    ) {
        if id.x >= particles.count { return; }
        particles.tail[id.x] += particles.bias;
        lengths[id.x] = arrayLength(&particles.tail) * 100u + groups.x;
    }";

#[test]
fn a_window_behind_a_header_keeps_the_header_and_the_logical_length() {
    let Some(gpu) = device() else { return };
    let kernel = kernel(PARTICLES);
    let mut values = vec![0.5f32.to_bits(), 22];
    values.extend((0..24).map(|i| (i as f32).to_bits()));
    let mut particles = Buffer::new(&values);
    let mut lengths = Buffer::new(&[0u32; 24]);
    let (host, lengths_host) = (particles.host(), lengths.host());
    let grid = [6, 1, 1];
    for band in cut(6, 3) {
        let elements = u64::from(band.start) * 4..u64::from(band.end) * 4;
        let groups = GroupBox::whole(grid).band(0, band.start, band.end);
        let bindings = vec![update(host, 24, elements.clone()), update(lengths_host, 24, elements)];
        run(&gpu, chunk(&kernel, grid, groups, bindings)).unwrap();
    }
    let expected: Vec<u32> = [0.5f32.to_bits(), 22]
        .into_iter()
        .chain((0..24).map(|i| (i as f32 + if i < 22 { 0.5 } else { 0.0 }).to_bits()))
        .collect();
    assert_eq!(particles.values::<u32>(), expected);
    let expected: Vec<u32> = (0..24).map(|i| if i < 22 { 2406 } else { 0 }).collect();
    assert_eq!(lengths.values::<u32>(), expected);
}

#[test]
fn a_written_header_comes_back_only_when_asked_for() {
    let Some(gpu) = device() else { return };
    let kernel = kernel(
        "struct Counted { count: u32, pad: vec3<f32>, items: array<u32> }
         @group(0) @binding(0) var<storage, read_write> all: Counted;
         @compute @workgroup_size(1)
         fn count() { all.count = arrayLength(&all.items); }",
    );
    let layout = &kernel.signature().bindings[0].layout;
    assert_eq!((layout.header, layout.stride), (28, 4));
    for write_header in [false, true] {
        let mut all = Buffer::new(&[9u32; 12]);
        let bindings = vec![ChunkBinding::Storage {
            memory: all.host(),
            elements: 5,
            window: 0..0,
            upload: 0..0,
            write_back: Region::default(),
            write_header,
            pitch: None,
        }];
        run(&gpu, chunk(&kernel, [1; 3], GroupBox::whole([1; 3]), bindings)).unwrap();
        let mut expected = [9u32; 12];
        expected[0] = if write_header { 5 } else { 9 };
        assert_eq!(all.values::<u32>(), expected);
    }
}

#[test]
fn half_words_in_odd_windows_go_up_and_down_exactly() {
    let Some(gpu) = device() else { return };
    if !gpu.info().limits.f16 {
        eprintln!("skipped: {} has no f16", gpu.info().name);
        return;
    }
    let kernel = kernel(
        "enable f16;
         @group(0) @binding(0) var<storage, read> source: array<f16>;
         @group(0) @binding(1) var<storage, read_write> to: array<f16>;
         @compute @workgroup_size(1)
         fn twice(@builtin(global_invocation_id) id: vec3<u32>) { to[id.x] = source[id.x] * 2h; }",
    );
    let n = 23u32;
    let values: Vec<half::f16> = (0..n).map(|i| half::f16::from_f32(i as f32)).collect();
    let mut from = Buffer::new(&values);
    let mut to = Buffer::new(&values);
    let (from_host, to_host) = (from.host(), to.host());
    for band in [0..3, 3..8, 8..9, 9..17, 19..23] {
        let elements = u64::from(band.start)..u64::from(band.end);
        let groups = GroupBox::whole([n, 1, 1]).band(0, band.start, band.end);
        let bindings = vec![
            read(from_host, u64::from(n), elements.clone()),
            // No element needs an upload: every element of the range is written.
            window(to_host, u64::from(n), elements.clone(), 0..0, elements),
        ];
        run(&gpu, chunk(&kernel, [n, 1, 1], groups, bindings)).unwrap();
    }
    let expected: Vec<f32> =
        (0..n).map(|i| if (17..19).contains(&i) { i as f32 } else { 2.0 * i as f32 }).collect();
    let got: Vec<f32> = to.values::<half::f16>()[..n as usize].iter().map(|h| h.to_f32()).collect();
    assert_eq!(got, expected);
}

#[test]
fn a_grid_beyond_the_devices_limit_per_axis_is_dispatched_in_parts() {
    let Some(gpu) = device() else { return };
    for grid in [[70_000, 1, 1], [2, 65_537, 1], [1, 1, 131_071]] {
        assert!(numbered(&gpu, grid) == numbered_expected(grid), "{grid:?}");
    }
}

#[test]
fn an_empty_chunk_succeeds_and_changes_nothing() {
    let Some(gpu) = device() else { return };
    let kernel = kernel(NUMBERED);
    let mut out = Buffer::new(&[[3u32; 4]]);
    let bindings = vec![update(out.host(), 1, 0..1)];
    let groups = GroupBox { first: [0; 3], count: [1, 0, 1] };
    run(&gpu, chunk(&kernel, [1, 0, 1], groups, bindings)).unwrap();
    assert_eq!(out.values::<[u32; 4]>(), [[3; 4]]);
}

#[test]
fn a_users_immediate_reaches_the_kernel_with_and_without_immediates() {
    for features in [limits::WANTED, limits::WANTED - wgpu::Features::IMMEDIATES] {
        let Some(gpu) = open(Settings { features, ..Settings::default() }) else { return };
        let kernel = kernel(
            "struct Step { by: u32, scale: vec2<f32> }
             var<immediate> step: Step;
             @group(0) @binding(0) var<storage, read_write> out: array<f32>;
             @compute @workgroup_size(8)
             fn fill(@builtin(global_invocation_id) id: vec3<u32>) {
                 out[id.x] = f32(id.x + step.by) * step.scale.y;
             }",
        );
        let step = [5u32, 0, 1f32.to_bits(), 0.5f32.to_bits()];
        let mut out = Buffer::new(&[0f32; 16]);
        let host = out.host();
        for band in cut(2, 2) {
            let elements = u64::from(band.start) * 8..u64::from(band.end) * 8;
            let bindings = vec![
                window(host, 16, elements.clone(), 0..0, elements),
                ChunkBinding::Value(bytemuck::cast_slice(&step)),
            ];
            let groups = GroupBox::whole([2, 1, 1]).band(0, band.start, band.end);
            run(&gpu, chunk(&kernel, [2, 1, 1], groups, bindings)).unwrap();
        }
        let expected: Vec<f32> = (0..16).map(|i| (i + 5) as f32 * 0.5).collect();
        assert_eq!(out.values::<f32>(), expected);
    }
}

#[test]
fn adapters_are_listed_best_kind_first_with_ids_in_order() {
    if adapter().is_none() {
        return;
    }
    let all = adapters().unwrap();
    let rank = |kind: DeviceKind| match kind {
        DeviceKind::DiscreteGpu => 0,
        DeviceKind::IntegratedGpu => 1,
        DeviceKind::SoftwareGpu => 3,
        _ => 2,
    };
    assert!(all.windows(2).all(|pair| rank(pair[0].info.kind) <= rank(pair[1].info.kind)));
    for (i, adapter) in all.iter().enumerate() {
        assert_eq!(adapter.info.id, format!("gpu{i}"));
        assert!(!adapter.info.name.is_empty() && adapter.info.limits.memory > 0);
    }
}

/// Reads and writes at an index from a buffer, in every address space that WGSL can index.
const EVERYWHERE: &str = "
    @group(0) @binding(0) var<storage, read> index: array<i32>;
    @group(0) @binding(1) var<storage, read> source: array<u32>;
    @group(0) @binding(2) var<storage, read_write> sink: array<u32>;
    @group(0) @binding(3) var<storage, read_write> seen: array<array<u32, 8>>;
    @group(0) @binding(4) var<uniform> table: array<vec4<u32>, 4>;
    var<private> own: array<u32, 4>;
    var<workgroup> shared_: array<u32, 4>;
    @compute @workgroup_size(1)
    fn everywhere(@builtin(workgroup_id) id: vec3<u32>) {
        let i = index[id.x];
        var local = array<u32, 4>(10u, 11u, 12u, 13u);
        var v = vec4<u32>(20u, 21u, 22u, 23u);
        var m = mat4x4<f32>();
        own = array<u32, 4>(30u, 31u, 32u, 33u);
        for (var k = 0u; k < 4u; k++) { shared_[k] = 40u + k; m[k] = vec4(f32(50u + k)); }
        seen[id.x][0] = source[i];
        seen[id.x][1] = local[i];
        seen[id.x][2] = v[i];
        seen[id.x][3] = own[i];
        seen[id.x][4] = shared_[i];
        seen[id.x][5] = u32(m[i].x);
        seen[id.x][6] = table[i].x;
        local[i] = 1u; v[i] = 1u; own[i] = 1u; shared_[i] = 1u; m[i] = vec4(1.0);
        var sum = v.x + v.y + v.z + v.w;
        for (var k = 0u; k < 4u; k++) { sum += local[k] + own[k] + shared_[k] + u32(m[k].y); }
        seen[id.x][7] = sum;
        sink[i] = 1u;
    }";

#[test]
fn out_of_bounds_reads_are_zero_and_writes_do_nothing_in_every_address_space() {
    let Some(gpu) = device() else { return };
    let kernel = kernel(EVERYWHERE);
    let indices = [0, 3, 4, -1, 7, i32::MAX, i32::MIN, 1 << 30];
    let n = indices.len() as u64;
    let mut index = Buffer::new(&indices);
    let mut source = Buffer::new(&[60u32, 61, 62, 63]);
    let mut sink = Buffer::new(&[9u32; 4]);
    let mut seen = Buffer::new(&vec![[7u32; 8]; indices.len()]);
    let table: Vec<[u32; 4]> = (0..4).map(|i| [70 + i; 4]).collect();
    let grid = [n as u32, 1, 1];
    let bindings = vec![
        read(index.host(), n, 0..n),
        read(source.host(), 4, 0..4),
        update(sink.host(), 4, 0..4),
        update(seen.host(), n, 0..n),
        ChunkBinding::Value(bytemuck::cast_slice(&table)),
    ];
    run(&gpu, chunk(&kernel, grid, GroupBox::whole(grid), bindings)).unwrap();
    let sum = |base: u32| (0..4).map(|k| base + k).sum::<u32>();
    let all = sum(10) + sum(20) + sum(30) + sum(40) + sum(50);
    for (&i, seen) in indices.iter().zip(seen.values::<[u32; 8]>()) {
        let expected = match i {
            0 | 3 => {
                let at = |base: u32| base + i as u32;
                let written = at(10) + at(20) + at(30) + at(40) + at(50);
                [at(60), at(10), at(20), at(30), at(40), at(50), at(70), all - written + 5]
            }
            _ => [0, 0, 0, 0, 0, 0, 0, all],
        };
        assert_eq!(seen, expected, "index {i}");
    }
    assert_eq!(sink.values::<u32>(), [1, 9, 9, 1]);
}

#[test]
fn workgroup_memory_starts_at_zero_whatever_ran_before() {
    let Some(gpu) = device() else { return };
    let kernel = kernel(
        "@group(0) @binding(0) var<storage, read_write> out: array<u32>;
         var<workgroup> tile: array<u32, 64>;
         @compute @workgroup_size(64)
         fn dirty(@builtin(global_invocation_id) id: vec3<u32>,
                  @builtin(local_invocation_index) l: u32) {
             out[id.x] = tile[63u - l];
             workgroupBarrier();
             tile[l] = 0xFFFFFFFFu;
         }",
    );
    for _ in 0..3 {
        let mut out = Buffer::new(&vec![7u32; 64 * 50]);
        let all = 0..64 * 50;
        let bindings = vec![window(out.host(), all.end, all.clone(), 0..0, all)];
        run(&gpu, chunk(&kernel, [50, 1, 1], GroupBox::whole([50, 1, 1]), bindings)).unwrap();
        assert!(out.values::<u32>().iter().all(|&word| word == 0));
    }
}

#[test]
fn a_kernel_without_bindings_runs() {
    let Some(gpu) = device() else { return };
    let kernel = kernel("@compute @workgroup_size(8) fn nothing() {}");
    let cost = run(&gpu, chunk(&kernel, [3, 1, 1], GroupBox::whole([3, 1, 1]), Vec::new()));
    let cost = cost.unwrap();
    assert_eq!((cost.uploaded, cost.downloaded), (0, 0));
}

#[test]
fn every_kernel_of_the_library_is_accepted() {
    let Some(gpu) = device() else { return };
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/kernels")).unwrap();
    for file in files.map(|file| file.unwrap().path()) {
        let kernel = kernel(&std::fs::read_to_string(&file).unwrap());
        gpu.prepare(&kernel).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        // The second call finds the kernel in the cache.
        gpu.prepare(&kernel).unwrap();
    }
}
