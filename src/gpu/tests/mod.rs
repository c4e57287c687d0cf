//! The executor as its only caller sees it: chunks through the `Device` trait, on the first adapter
//! of this machine, whatever it is.
//!
//! Without an adapter every test says that it skips; with COEXEC_REQUIRE_GPU=1 that is a failure.

mod failures;
mod results;

use std::ops::Range;

use super::*;
use crate::device::{Chunk, Device, DeviceKind};
use crate::device::{ChunkBinding, HostBytes};
use crate::error::Result;
use crate::grid::GroupBox;
use crate::kernel::Kernel;

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
}

impl Buffer {
    /// The bytes are rounded up to words.
    fn new<T: bytemuck::Pod>(values: &[T]) -> Buffer {
        let mut bytes: Vec<u8> = bytemuck::cast_slice(values).to_vec();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        Buffer { words: bytemuck::pod_collect_to_vec(&bytes) }
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
    let write_back = write_back.into();
    ChunkBinding::Storage {
        memory,
        elements,
        window,
        upload,
        write_back,
        write_header: false,
        pitch: None,
    }
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
    Chunk::new(kernel, grid, groups, bindings, 1 << 20)
}

fn run(gpu: &GpuDevice, chunk: Chunk<'_>) -> Result<crate::device::ChunkCost> {
    gpu.start(chunk)?.finish()
}

/// `0..n` in `parts` nearly equal parts.
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

/// One saxpy over `n` elements in `parts` chunks, `in_flight` of them at a time.
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

const THIRDS: &str = "
    @group(0) @binding(0) var<storage, read_write> out: array<u32>;
    @compute @workgroup_size(32)
    fn thirds(@builtin(global_invocation_id) id: vec3<u32>) {
        if id.x % 3u == 0u { out[id.x] = id.x; }
    }";

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
