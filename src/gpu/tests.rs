//! The executor as its only caller sees it: chunks through the `Device` trait, on the first adapter
//! of this machine, whatever it is.
//!
//! Without an adapter every test says that it skips; with COEXEC_REQUIRE_GPU=1 that is a failure.

use std::ops::Range;
use std::time::Duration;

use super::*;
use crate::device::{ChunkBinding, HostBytes};
use crate::error::Error;
use crate::grid::GroupBox;

fn adapter() -> Option<AdapterHandle> {
    let first = adapters().expect("adapters can be listed").into_iter().next();
    if first.is_none() {
        let required = std::env::var("COEXEC_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!required, "COEXEC_REQUIRE_GPU=1, and there is no GPU adapter");
        eprintln!("skipped: this machine has no GPU adapter, not even a software one");
    }
    first
}

/// A device with poisoned memory, so that no test passes by luck.
fn device() -> Option<GpuDevice> {
    open(Settings { poison: true, ..Settings::default() })
}

fn open(settings: Settings) -> Option<GpuDevice> {
    Some(GpuDevice::open_with(&adapter()?, "gpu0".to_owned(), settings).expect("the device opens"))
}

fn kernel(wgsl: &str) -> Kernel {
    Kernel::from_wgsl(wgsl).expect("the kernel is valid")
}

/// A storage buffer of a test: host memory, and a view of it for chunks.
struct Buffer {
    words: Vec<u32>,
    elements: u64,
}

impl Buffer {
    /// `len` is in elements; the bytes are rounded up to words.
    fn new<T: bytemuck::Pod>(values: &[T]) -> Buffer {
        let mut bytes: Vec<u8> = bytemuck::cast_slice(values).to_vec();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        Buffer { words: bytemuck::pod_collect_to_vec(&bytes), elements: values.len() as u64 }
    }

    fn host(&mut self) -> HostBytes<'_> {
        HostBytes::new(bytemuck::cast_slice_mut(&mut self.words))
    }

    fn values<T: bytemuck::Pod>(&self) -> Vec<T> {
        let bytes: &[u8] = bytemuck::cast_slice(&self.words);
        let used = bytes.len() / size_of::<T>() * size_of::<T>();
        bytemuck::pod_collect_to_vec(&bytes[..used])
    }
}

fn window<'a>(
    memory: HostBytes<'a>,
    elements: u64,
    window: Range<u64>,
    upload: Range<u64>,
    write_back: Range<u64>,
) -> ChunkBinding<'a> {
    ChunkBinding::Storage { memory, elements, window, upload, write_back, write_header: false }
}

fn read(memory: HostBytes<'_>, elements: u64, range: Range<u64>) -> ChunkBinding<'_> {
    window(memory, elements, range.clone(), range, 0..0)
}

fn update(memory: HostBytes<'_>, elements: u64, range: Range<u64>) -> ChunkBinding<'_> {
    window(memory, elements, range.clone(), range.clone(), range)
}

fn chunk<'a>(
    kernel: &'a Kernel,
    grid: [u32; 3],
    groups: GroupBox,
    bindings: Vec<ChunkBinding<'a>>,
) -> Chunk<'a> {
    Chunk { kernel, grid, groups, bindings, loop_budget: 1 << 20 }
}

fn run(gpu: &GpuDevice, chunk: Chunk<'_>) -> Result<crate::device::ChunkCost> {
    gpu.start(chunk)?.finish()
}

/// `0..n` in so many nearly equal parts.
fn cut(n: u32, parts: u32) -> Vec<Range<u32>> {
    let at = |i: u32| (u64::from(n) * u64::from(i) / u64::from(parts)) as u32;
    (0..parts).map(|i| at(i)..at(i + 1)).collect()
}

const SAXPY: &str = "
    struct Scale { a: f32, b: f32 }
    @group(0) @binding(0) var<uniform> scale: Scale;
    @group(1) @binding(3) var<storage, read> x: array<f32>;
    @group(1) @binding(4) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64)
    fn saxpy(@builtin(global_invocation_id) id: vec3<u32>) {
        let i = id.x;
        if i < arrayLength(&y) { y[i] = scale.a * x[i] + y[i]; }
    }";

/// One saxpy over `n` elements in so many chunks, `in_flight` of them at a time.
fn saxpy(gpu: &GpuDevice, n: usize, parts: u32, in_flight: usize) -> Vec<f32> {
    let kernel = kernel(SAXPY);
    let mut x = Buffer::new(&(0..n).map(|i| i as f32).collect::<Vec<_>>());
    let mut y = Buffer::new(&(0..n).map(|i| (i * 3 % 17) as f32).collect::<Vec<_>>());
    let scale = [2.0f32, 0.0];
    let (x_host, y_host) = (x.host(), y.host());
    let grid = [n.div_ceil(64) as u32, 1, 1];
    let mut running = std::collections::VecDeque::new();
    let mut downloaded = 0;
    for band in cut(grid[0], parts) {
        let elements = u64::from(band.start) * 64..(u64::from(band.end) * 64).min(n as u64);
        let bindings = vec![
            ChunkBinding::Value(bytemuck::cast_slice(&scale)),
            read(x_host, n as u64, elements.clone()),
            update(y_host, n as u64, elements),
        ];
        let groups = GroupBox::whole(grid).band(0, band.start, band.end);
        running.push_back(gpu.start(chunk(&kernel, grid, groups, bindings)).expect("it starts"));
        if running.len() == in_flight {
            let oldest = running.pop_front().expect("there is one");
            downloaded += oldest.finish().expect("it finishes").downloaded;
        }
    }
    // The youngest first: chunks may be finished in any order.
    while let Some(youngest) = running.pop_back() {
        downloaded += youngest.finish().expect("it finishes").downloaded;
    }
    assert_eq!(downloaded, n as u64 * 4);
    drop(running);
    y.values()
}

fn saxpy_expected(n: usize) -> Vec<f32> {
    (0..n).map(|i| 2.0 * i as f32 + (i * 3 % 17) as f32).collect()
}

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
                let gpu = GpuDevice::open(adapter, format!("gpu0.{i}")).expect("it opens");
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
fn an_applications_own_device_is_used_as_it_was_created() {
    let Some(adapter) = adapter() else { return };
    let request = adapter.adapter.request_device(&wgpu::DeviceDescriptor::default());
    let (device, queue) = pollster::block_on(request).expect("the device opens");
    let again = queue.clone();
    let gpu = GpuDevice::from_wgpu(device.clone(), queue, "gpu0".to_owned()).unwrap();
    assert!(!gpu.info().limits.f16);
    assert_eq!(gpu.info().limits.max_invocations, 256);
    assert_eq!(saxpy(&gpu, 5000, 3, 2), saxpy_expected(5000));
    // The application loses it: its callbacks are its own, we notice all the same.
    device.destroy();
    assert_lost(&gpu);
    assert!(GpuDevice::from_wgpu(device, again, "gpu0".to_owned()).is_err());
}

const THIRDS: &str = "
    @group(0) @binding(0) var<storage, read_write> out: array<u32>;
    @compute @workgroup_size(32)
    fn thirds(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x % 3u == 0u { out[id.x] = id.x; }
    }";

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
            write_back: 0..0,
            write_header,
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
            // Nothing of it needs to go up: every element of the range is written.
            window(to_host, u64::from(n), elements.clone(), 0..0, elements),
        ];
        run(&gpu, chunk(&kernel, [n, 1, 1], groups, bindings)).unwrap();
    }
    let expected: Vec<f32> =
        (0..n).map(|i| if (17..19).contains(&i) { i as f32 } else { 2.0 * i as f32 }).collect();
    let got: Vec<f32> = to.values::<half::f16>()[..n as usize].iter().map(|h| h.to_f32()).collect();
    assert_eq!(got, expected);
}

const NUMBERED: &str = "
    @group(0) @binding(0) var<storage, read_write> out: array<vec4<u32>>;
    @compute @workgroup_size(1)
    fn number(
        @builtin(workgroup_id) id: vec3<u32>,
        @builtin(num_workgroups) grid: vec3<u32>,
    ) {
        out[id.x + grid.x * (id.y + grid.y * id.z)] = vec4(id, grid.x + grid.y + grid.z);
    }";

/// Each workgroup's id and the grid, by workgroup.
fn numbered(gpu: &GpuDevice, grid: [u32; 3]) -> Vec<[u32; 4]> {
    let kernel = kernel(NUMBERED);
    let n: u32 = grid.iter().product();
    let mut out = Buffer::new(&vec![[0u32; 4]; n as usize]);
    let whole = 0..u64::from(n);
    let bindings = vec![window(out.host(), whole.end, whole.clone(), 0..0, whole)];
    run(gpu, chunk(&kernel, grid, GroupBox::whole(grid), bindings)).unwrap();
    out.values()
}

fn numbered_expected(grid: [u32; 3]) -> Vec<[u32; 4]> {
    let [x, y, z] = grid;
    let all = (0..z).flat_map(|c| (0..y).flat_map(move |b| (0..x).map(move |a| [a, b, c])));
    all.map(|[a, b, c]| [a, b, c, x + y + z]).collect()
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
            assert!(matches!(outcome, Err(Error::EndlessLoop { budget: 1000, .. })));
            assert_eq!(data.values::<u32>(), input);
        } else {
            outcome.unwrap();
            assert_eq!(data.values::<u32>(), [8, 16, 111]);
        }
    }
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

/// Everything that a lost device is asked for is `Error::Device`, and the host's memory stays.
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
    // Lost with a chunk in flight: that one either finished before or fails.
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
    chunk.loop_budget = 1_000_000;
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
fn f16_is_refused_where_it_is_missing() {
    let features = limits::WANTED - wgpu::Features::SHADER_F16;
    let Some(gpu) = open(Settings { features, ..Settings::default() }) else { return };
    let text = refusal(
        &gpu,
        "enable f16;
         @group(0) @binding(0) var<storage, read_write> out: array<f16>;
         @compute @workgroup_size(1) fn halves() { out[0] = 1h; }",
    );
    assert!(text.contains("f16"), "{text}");
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
    // The device is none the worse for it.
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
        // From the cache the second time.
        gpu.prepare(&kernel).unwrap();
    }
}
