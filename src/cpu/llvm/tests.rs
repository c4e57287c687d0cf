//! Compiled kernels give the same bits as the interpreter.

use crate::cpu::compiled::{Launch, Scratch};
use crate::cpu::{CpuDevice, CpuOptions};
use crate::device::Engine;
use crate::device::{Chunk, ChunkBinding, Device, HostBytes};
use crate::error::Result;
use crate::grid::GroupBox;
use crate::kernel::{Kernel, ScalarType, Space};

fn device(engine: Engine) -> CpuDevice {
    CpuDevice::new(CpuOptions { threads: Some(2), engine, ..CpuOptions::default() }).unwrap()
}

fn run(device: &CpuDevice, kernel: &Kernel, grid: [u32; 3], data: &mut [Vec<u32>]) -> Result<()> {
    let signature = kernel.signature();
    assert_eq!(signature.bindings.len(), data.len(), "bindings");
    let bindings = signature
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
        .collect();
    let groups = GroupBox::whole(grid);
    let chunk = Chunk::new(kernel, grid, groups, bindings, 1 << 20);
    device.start(chunk)?.finish().map(|_| ())
}

/// Runs a kernel on all engines and compares every word.
fn compare(name: &str, kernel: &Kernel, grid: [u32; 3], data: &[Vec<u32>]) {
    let mut wanted = data.to_vec();
    run(&device(Engine::Interpreter), kernel, grid, &mut wanted).unwrap();
    for engine in [Engine::Llvm, Engine::Cranelift] {
        let mut got = data.to_vec();
        if let Err(error) = run(&device(engine), kernel, grid, &mut got) {
            panic!("{name}, {engine}: {error}");
        }
        same(&format!("{name}, {engine}"), kernel, &wanted, &got);
    }
}

fn same(name: &str, kernel: &Kernel, wanted: &[Vec<u32>], got: &[Vec<u32>]) {
    for (id, binding) in kernel.signature().bindings.iter().enumerate() {
        let float = binding.layout.scalar == Some(ScalarType::F32);
        for (i, (&a, &b)) in wanted[id].iter().zip(&got[id]).enumerate() {
            let both_nan = f32::from_bits(a).is_nan() && f32::from_bits(b).is_nan();
            assert!(
                a == b || float && both_nan,
                "{name}, {}[{i}]: the interpreter gives {a:#x} ({}), the compiler {b:#x} ({})",
                binding.name,
                f32::from_bits(a),
                f32::from_bits(b)
            );
        }
    }
}

/// Numbers from -1 to 1, the same every time.
fn noise(seed: u32, count: usize) -> Vec<u32> {
    let mut state = seed.wrapping_mul(2_654_435_769).wrapping_add(1);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((state >> 8) as f32 / 8_388_608.0 - 1.0).to_bits()
        })
        .collect()
}

fn library(name: &str) -> Kernel {
    let kernel = crate::ops::library().iter().find(|k| k.name == name).unwrap();
    Kernel::from_wgsl(kernel.text).unwrap()
}

fn check(name: &str, grid: [u32; 3], data: &[Vec<u32>]) {
    compare(name, &library(name), grid, data);
}

#[test]
fn saxpy_equals_the_interpreter() {
    for n in [1, 255, 256, 1000] {
        check("saxpy", [5, 1, 1], &[vec![2.5f32.to_bits(), n], noise(1, 1000), noise(2, 1000)]);
    }
}

#[test]
fn stencils_equal_the_interpreter() {
    for (w, h) in [(64, 4), (130, 9), (33, 21), (1, 1)] {
        let cells = (w * h) as usize;
        let uniform = vec![w, h, 0.2f32.to_bits()];
        let grid = [w.div_ceil(64), h.div_ceil(4), 1];
        check("stencil5", grid, &[uniform, noise(3, cells), vec![0; cells]]);
        let uniform = vec![w, h, 3, 0.1f32.to_bits()];
        let grid = [w.div_ceil(32), h.div_ceil(4), 2];
        check("stencil7", grid, &[uniform, noise(4, 3 * cells), vec![0; 3 * cells]]);
    }
}

#[test]
fn matrix_products_equal_the_interpreter() {
    for (m, n, k) in [(64, 64, 16), (65, 130, 33), (7, 5, 3)] {
        let data = [
            vec![m, n, k],
            noise(5, (m * k) as usize),
            noise(6, (k * n) as usize),
            vec![0; (m * n) as usize],
        ];
        check("matmul_naive", [n.div_ceil(32), m.div_ceil(4), 1], &data);
        check("matmul", [n.div_ceil(64), m.div_ceil(64), 1], &data);
    }
}

#[test]
fn mandelbrot_equals_the_interpreter() {
    let view = [70, 20, 100, 0.04f32.to_bits(), 0, 0, (-2.0f32).to_bits(), (-0.4f32).to_bits()];
    let view = [&view[..4], &view[6..]].concat();
    check("mandelbrot", [3, 3, 1], &[view, vec![0; 1400]]);
}

#[test]
fn kernels_with_barriers_equal_the_interpreter() {
    check("reduce_sum", [3, 1, 1], &[noise(7, 10000), vec![0; 3]]);
    let (rows, columns) = (70, 45);
    let cells = (rows * columns) as usize;
    check("transpose", [2, 3, 1], &[vec![rows, columns], noise(8, cells), vec![0; cells]]);
    let params = vec![300, 0.01f32.to_bits(), 0.1f32.to_bits()];
    let four = |seed| noise(seed, 1200);
    check("nbody", [2, 1, 1], &[params, four(9), four(10), vec![0; 1200], vec![0; 1200]]);
}

#[test]
fn the_other_library_kernels_equal_the_interpreter() {
    let market = vec![0.05f32.to_bits(), 0.3f32.to_bits(), 300];
    let options: Vec<u32> =
        noise(11, 1200).iter().map(|&x| (f32::from_bits(x).abs() * 50.0 + 1.0).to_bits()).collect();
    check("black_scholes", [2, 1, 1], &[market, options, vec![0; 300], vec![0; 300]]);
    let rows: Vec<u32> = (0..201).map(|r| r * (r % 7) / 2 % 9 + r * 4).collect();
    let columns: Vec<u32> = (0..1000).map(|i| i * 37 % 100).collect();
    check("csr_spmv", [2, 1, 1], &[rows, columns, noise(12, 1000), noise(13, 100), vec![0; 200]]);
    check("histogram", [3, 1, 1], &[noise(14, 3000), vec![0; 256]]);
}

/// Runs a kernel of one workgroup with code for a machine with exactly these features.
fn run_for(features: super::Features, kernel: &Kernel, data: &mut [Vec<u32>]) {
    let program = super::compile_for(kernel, super::Widths::default(), features).unwrap();
    let bindings = data
        .iter_mut()
        .zip(&kernel.signature().bindings)
        .map(|(words, binding)| {
            let elements = binding.layout.elements(words.len() as u64 * 4);
            ChunkBinding::Storage {
                memory: HostBytes::new(bytemuck::cast_slice_mut(words)),
                elements,
                window: 0..elements,
                upload: 0..elements,
                write_back: (0..elements).into(),
                write_header: true,
                pitch: None,
            }
        })
        .collect();
    let groups = GroupBox::whole([1, 1, 1]);
    let chunk = Chunk::new(kernel, [1, 1, 1], groups, bindings, 1 << 20);
    let launch = Launch::new(&program, &chunk, groups).unwrap();
    let mut scratch = Scratch::new(&program).unwrap();
    launch.run(0, 1, &mut scratch).unwrap();
}

#[test]
fn halves_convert_the_same_with_and_without_the_processors_help() {
    let kernel = Kernel::from_wgsl(
        "enable f16;
        @group(0) @binding(0) var<storage, read_write> wide: array<u32>;
        @group(0) @binding(1) var<storage, read_write> narrow: array<u32>;
        @group(0) @binding(2) var<storage, read_write> rounded: array<u32>;
        @group(0) @binding(3) var<storage, read_write> stored: array<f16>;
        @compute @workgroup_size(64)
        fn main(@builtin(local_invocation_index) l: u32) {
            for (var i = l; i < 65536u; i += 64u) {
                wide[i] = bitcast<u32>(unpack2x16float(i).x);
                // Near every f16, and between neighbours.
                let x = unpack2x16float(i).x;
                let bits = bitcast<u32>(x) + (i * 40503u) % 0x4001u - 0x2000u;
                narrow[i] = pack2x16float(vec2<f32>(bitcast<f32>(bits), 0.0));
                rounded[i] = bitcast<u32>(f32(f16(bitcast<f32>(bits))));
                stored[i] = f16(x) * 0.5h;
            }
        }",
    )
    .unwrap();
    if super::find_library().is_err() {
        return;
    }
    let data = [vec![0; 65536], vec![0; 65536], vec![0; 65536], vec![0; 32768]];
    let mut wanted = data.clone();
    run(&device(Engine::Interpreter), &kernel, [1, 1, 1], &mut wanted).unwrap();
    let mut got = data;
    run_for(super::Features { fma: false, f16c: false }, &kernel, &mut got);
    let nan = |half: u32| half & 0x7c00 == 0x7c00 && half & 0x3ff != 0;
    for i in 0..65536usize {
        let same =
            |a: u32, b: u32| a == b || f32::from_bits(a).is_nan() && f32::from_bits(b).is_nan();
        assert!(
            same(wanted[0][i], got[0][i]),
            "{i:#x} widened: {:#x} {:#x}",
            wanted[0][i],
            got[0][i]
        );
        let (a, b) = (wanted[1][i], got[1][i]);
        assert!(a == b || nan(a) && nan(b), "{i:#x} narrowed: {a:#x} {b:#x}");
        assert!(
            same(wanted[2][i], got[2][i]),
            "{i:#x} rounded: {:#x} {:#x}",
            wanted[2][i],
            got[2][i]
        );
        let half = |all: &[Vec<u32>]| all[3][i / 2] >> (16 * (i % 2)) & 0xffff;
        let (a, b) = (half(&wanted), half(&got));
        assert!(a == b || nan(a) && nan(b), "{i:#x} stored: {a:#x} {b:#x}");
    }
}

/// A kernel that applies a function to each element.
fn each(function: &str) -> Kernel {
    Kernel::from_wgsl(&format!(
        "@group(0) @binding(0) var<storage> x: array<f32>;
         @group(0) @binding(1) var<storage, read_write> y: array<f32>;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
             let v = x[id.x];
             y[id.x] = {function};
         }}"
    ))
    .unwrap()
}

#[test]
fn numeric_functions_equal_the_interpreter_over_the_whole_range() {
    // Near zero in some gangs, far from it in others, and special values.
    let mut x: Vec<u32> = (0..=u32::MAX).step_by(524_309).collect();
    let limits = [131_072.0f32, 8192.0, 104.0, 89.0, 88.7, 1.0, 0.5, 0.625, f32::MIN_POSITIVE];
    for limit in limits {
        x.extend((0..8).map(|step| limit.to_bits() + step - 4));
    }
    x.extend((0..4096).map(|k| (k as f32 * 0.01).to_bits()));
    x.extend([f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 0.0, -0.0].map(f32::to_bits));
    let grid = [x.len().div_ceil(64) as u32, 1, 1];
    for function in NUMERIC {
        let data = [x.clone(), vec![0; x.len()]];
        compare(function, &each(function), grid, &data);
    }
}

const NUMERIC: [&str; 21] = [
    "exp(v)",
    "exp2(v)",
    "log(v)",
    "log2(v)",
    "sin(v)",
    "cos(v)",
    "tan(v)",
    "inverseSqrt(v)",
    "asin(v)",
    "acos(v)",
    "atan(v)",
    "sinh(v)",
    "cosh(v)",
    "tanh(v)",
    "asinh(v)",
    "acosh(v)",
    "atanh(v)",
    "pow(v, 1.7)",
    "pow(bitcast<f32>(0x3f000000u + id.x * 977u), v)",
    "atan2(v, 0.3)",
    "atan2(bitcast<f32>(id.x * 0x9e3779b9u), v)",
];

#[test]
fn a_sine_that_is_the_same_for_the_workgroup_may_decide_about_a_barrier() {
    let text = "
        @group(0) @binding(0) var<storage> x: array<f32>;
        @group(0) @binding(1) var<storage, read_write> y: array<f32>;
        var<workgroup> shared_value: array<f32, 64>;
        @compute @workgroup_size(64)
        fn main(@builtin(local_invocation_index) l: u32) {
            shared_value[l] = x[l];
            if sin(x[0]) < 0.5 {
                workgroupBarrier();
                y[l] = sin(shared_value[63u - l]) + inverseSqrt(abs(x[1]));
            }
        }";
    let kernel = Kernel::from_wgsl(text).unwrap();
    compare("decide", &kernel, [1, 1, 1], &[noise(15, 64), vec![0; 64]]);
}

#[test]
fn divergent_sines_of_far_arguments_touch_only_their_lanes() {
    let text = "
        @group(0) @binding(0) var<storage> x: array<f32>;
        @group(0) @binding(1) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(32)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            var sum = 0.0;
            for (var k = 0u; k < id.x % 7u; k++) {
                let v = x[id.x] * f32(k * k * k * k + 1u);
                if k % 2u == id.x % 2u {
                    sum += sin(v * 1000.0);
                } else {
                    sum -= exp(cos(v * 5000.0));
                }
            }
            y[id.x] = sum;
        }";
    let kernel = Kernel::from_wgsl(text).unwrap();
    compare("divergent", &kernel, [4, 1, 1], &[noise(16, 128), vec![0; 128]]);
}

#[test]
fn half_floats_are_rounded_as_the_interpreter_rounds_them() {
    let kernel = Kernel::from_wgsl(
        "@group(0) @binding(0) var<storage, read_write> widened: array<vec2<f32>>;
         @group(0) @binding(1) var<storage, read_write> narrowed: array<u32>;
         @compute @workgroup_size(64)
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {
             widened[id.x] = unpack2x16float(id.x);
             // Every exponent, with steps that hit ties.
             let x = bitcast<f32>(id.x * 0x10800u);
             let y = bitcast<f32>(id.x * 0x10800u + 0x1000u);
             if x == x && y == y {
                 narrowed[id.x] = pack2x16float(vec2(x, y));
             }
         }",
    )
    .unwrap();
    compare("halves", &kernel, [1024, 1, 1], &[vec![0; 1 << 17], vec![0; 1 << 16]]);
}
