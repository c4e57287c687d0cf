//! Small kernels through [`CpuDevice`], with the values that WGSL promises.
//!
//! Each file tests one part of the language. Bindings are given in the signature's order, as words.

// Lists of one range are meant as such.
#![allow(clippy::single_range_in_vec_init)]

mod barriers;
mod chains;
mod constants;
mod control;
mod footprints;
mod memory;
mod numbers;
mod shared_calls;
mod shared_nests;
mod subgroups;
mod together;
mod watched;

use super::{CpuDevice, CpuOptions};
use crate::device::Engine;
use crate::device::{Chunk, ChunkBinding, Device, HostBytes};
use crate::error::Result;
use crate::grid::GroupBox;
use crate::kernel::{Kernel, Space};

/// One device for all tests: they run side by side on its threads.
fn device() -> &'static CpuDevice {
    static DEVICE: std::sync::OnceLock<CpuDevice> = std::sync::OnceLock::new();
    DEVICE.get_or_init(|| {
        CpuDevice::new(CpuOptions { threads: Some(2), ..CpuOptions::default() }).unwrap()
    })
}

/// Binds words to a kernel's bindings, in order.
fn bindings<'a>(kernel: &Kernel, data: &'a mut [Vec<u32>]) -> Vec<ChunkBinding<'a>> {
    let signature = kernel.signature();
    assert_eq!(signature.bindings.len(), data.len(), "bindings");
    signature
        .bindings
        .iter()
        .zip(data)
        .map(|(binding, words)| {
            let bytes: &mut [u8] = bytemuck::cast_slice_mut(words);
            if matches!(binding.space, Space::Uniform | Space::Immediate) {
                return ChunkBinding::Value(bytes);
            }
            let elements = binding.layout.elements(bytes.len() as u64);
            ChunkBinding::Storage {
                memory: HostBytes::new(bytes),
                elements,
                window: 0..elements,
                upload: 0..elements,
                write_back: (0..elements).into(),
                write_header: true,
                pitch: None,
            }
        })
        .collect()
}

/// Runs the whole grid on a device.
fn launch_on(
    device: &CpuDevice,
    text: &str,
    grid: [u32; 3],
    data: &mut [Vec<u32>],
    loop_budget: u64,
) -> Result<()> {
    launch_kernel_on(device, &Kernel::from_wgsl(text)?, grid, data, loop_budget)
}

fn launch_kernel_on(
    device: &CpuDevice,
    kernel: &Kernel,
    grid: [u32; 3],
    data: &mut [Vec<u32>],
    loop_budget: u64,
) -> Result<()> {
    let bindings = bindings(kernel, data);
    let groups = GroupBox::whole(grid);
    let chunk = Chunk::new(kernel, grid, groups, bindings, loop_budget);
    device.start(chunk)?.finish().map(|_| ())
}

/// Runs the whole grid on every available engine with each subgroup size. All must give the interpreter's
/// bits; the error says where they differ.
fn same_on_all_engines(
    text: &str,
    subgroup_sizes: &[u32],
    grid: [u32; 3],
    data: &[Vec<u32>],
) -> std::result::Result<(), String> {
    for &subgroup_size in subgroup_sizes {
        let on = |engine: Engine, vector_bits: Option<u32>| {
            let options = CpuOptions {
                threads: Some(1),
                engine,
                subgroup_size,
                vector_bits,
                ..CpuOptions::default()
            };
            let mut data = data.to_vec();
            let device = CpuDevice::new(options).unwrap();
            let result = launch_on(&device, text, grid, &mut data, 1 << 20);
            result.map(|()| data).map_err(|error| format!("{engine}: {error}"))
        };
        let wanted = on(Engine::Interpreter, None)?;
        for (engine, vector_bits) in compilers() {
            let got = on(engine, vector_bits)?;
            for (id, (wanted, got)) in wanted.iter().zip(&got).enumerate() {
                if let Some(at) = (0..wanted.len()).find(|&at| wanted[at] != got[at]) {
                    return Err(format!(
                        "binding {id}[{at}]: the interpreter gives {:#x}, {engine} {:#x}, with \
                         subgroups of {subgroup_size} and vectors of {vector_bits:?} bits",
                        wanted[at], got[at]
                    ));
                }
            }
        }
    }
    Ok(())
}

/// The compiled engines that this machine has, with the bits of their vectors.
fn compilers() -> Vec<(Engine, Option<u32>)> {
    let mut all = vec![(Engine::Cranelift, None)];
    if super::llvm::find_library().is_ok() {
        all.extend([None, Some(256), Some(128)].map(|bits| (Engine::Llvm, bits)));
    }
    all
}

/// Runs the whole grid, which must succeed.
fn launch(text: &str, grid: [u32; 3], data: &mut [Vec<u32>]) {
    launch_on(device(), text, grid, data, 1 << 20).unwrap();
}

/// Runs a kernel of one output, `out: array<u32>`, of one workgroup, over `n` zeros.
fn output(text: &str, n: usize) -> Vec<u32> {
    let text = format!("@group(0) @binding(0) var<storage, read_write> out: array<u32>;\n{text}");
    let mut data = [vec![0; n]];
    launch(&text, [1, 1, 1], &mut data);
    let [out] = data;
    out
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

fn floats(words: &[u32]) -> Vec<f32> {
    words.iter().map(|&x| f32::from_bits(x)).collect()
}

#[test]
fn a_stencil_equals_its_definition() {
    let text = "
        struct Grid { width: u32, height: u32, k: f32 }
        @group(0) @binding(0) var<storage> src: array<f32>;
        @group(0) @binding(1) var<storage, read_write> dst: array<f32>;
        @group(0) @binding(2) var<uniform> grid: Grid;
        @compute @workgroup_size(8, 8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            if id.x >= grid.width || id.y >= grid.height { return; }
            let i = id.y * grid.width + id.x;
            let c = src[i];
            if id.x == 0u || id.y == 0u || id.x == grid.width - 1u || id.y == grid.height - 1u {
                dst[i] = c;
                return;
            }
            let sum = src[i - 1u] + src[i + 1u] + src[i - grid.width] + src[i + grid.width];
            dst[i] = c + grid.k * (sum - 4.0 * c);
        }";
    let (w, h) = (37usize, 21usize);
    let src: Vec<f32> = (0..w * h).map(|i| ((i * 7919) % 101) as f32 / 7.0).collect();
    let mut data = [bits(&src), vec![0; w * h], vec![w as u32, h as u32, 0.1f32.to_bits(), 0]];
    data[2].truncate(3);
    launch(text, [5, 3, 1], &mut data);
    for y in 0..h {
        for x in 0..w {
            let i = y * w + x;
            let mut wanted = src[i];
            if x > 0 && y > 0 && x < w - 1 && y < h - 1 {
                let sum = src[i - 1] + src[i + 1] + src[i - w] + src[i + w];
                let change = sum - 4.0 * src[i];
                wanted += 0.1 * change;
            }
            let got = f32::from_bits(data[1][i]);
            assert!((got - wanted).abs() <= 1e-5 * wanted.abs(), "{x} {y}: {got} {wanted}");
        }
    }
}

#[test]
fn a_tiled_matrix_product_equals_its_definition() {
    let text = "
        struct Size { m: u32, n: u32, k: u32 }
        @group(0) @binding(0) var<storage> a: array<f32>;
        @group(0) @binding(1) var<storage> b: array<f32>;
        @group(0) @binding(2) var<storage, read_write> c: array<f32>;
        @group(0) @binding(3) var<uniform> size: Size;
        var<workgroup> ta: array<array<f32, 8>, 8>;
        var<workgroup> tb: array<array<f32, 8>, 8>;
        @compute @workgroup_size(8, 8)
        fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_id) l: vec3<u32>) {
            var sum = 0.0;
            for (var t = 0u; t < size.k; t += 8u) {
                ta[l.y][l.x] = select(0.0, a[id.y * size.k + t + l.x], t + l.x < size.k);
                tb[l.y][l.x] = select(0.0, b[(t + l.y) * size.n + id.x], id.x < size.n);
                workgroupBarrier();
                for (var i = 0u; i < 8u; i++) { sum += ta[l.y][i] * tb[i][l.x]; }
                workgroupBarrier();
            }
            if id.y < size.m && id.x < size.n { c[id.y * size.n + id.x] = sum; }
        }";
    let (m, n, k) = (19usize, 13usize, 21usize);
    let a: Vec<f32> = (0..m * k).map(|i| (i % 17) as f32 - 8.0).collect();
    let b: Vec<f32> = (0..k * n).map(|i| (i % 13) as f32 - 6.0).collect();
    let mut data = [bits(&a), bits(&b), vec![0; m * n], vec![m as u32, n as u32, k as u32]];
    launch(text, [2, 3, 1], &mut data);
    let c = floats(&data[2]);
    for y in 0..m {
        for x in 0..n {
            let wanted: f32 = (0..k).map(|i| a[y * k + i] * b[i * n + x]).sum();
            assert_eq!(c[y * n + x], wanted, "{x} {y}");
        }
    }
}

#[test]
fn a_grid_of_one_column_is_compiled_once_unless_workgroups_are_packed() {
    let count = |size: u32, columns: u32| {
        let text = format!(
            "@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
            @compute @workgroup_size({size}, 2) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
                dst[id.y * {} + id.x] = id.x;
            }}",
            size * columns
        );
        let options = CpuOptions { engine: Engine::Cranelift, ..CpuOptions::default() };
        let (device, kernel) =
            (CpuDevice::new(options).unwrap(), Kernel::from_wgsl(&text).unwrap());
        device.prepare(&kernel).unwrap();
        let before = kernel.derivations();
        let mut data = [vec![0; (size * columns * 6) as usize]];
        launch_kernel_on(&device, &kernel, [columns, 3, 1], &mut data, 1).unwrap();
        for (at, value) in data[0].iter().enumerate() {
            assert_eq!(*value, at as u32 % (size * columns));
        }
        kernel.derivations() - before
    };
    assert_eq!(count(16, 1), 0);
    assert_eq!(count(4, 1), 1);
    assert_eq!(count(4, 8), 0);
    assert_eq!(count(4, 9), 1);
}
