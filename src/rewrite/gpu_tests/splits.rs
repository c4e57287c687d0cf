//! A launch in pieces gives the same results as the whole launch: ids, grid, lengths, windows.

use super::harness::{Gpu, Launch, Outcome, Piece, bytes, gpu};
use crate::rewrite::ParamSpace;

/// Bands of the grid along an axis, cut before each of `cuts`.
fn bands(launch: &Launch, axis: usize, cuts: &[u32]) -> Vec<Piece> {
    let mut edges = vec![0];
    edges.extend_from_slice(cuts);
    edges.push(launch.grid[axis]);
    edges
        .windows(2)
        .map(|edge| {
            let mut piece = launch.whole();
            piece.first[axis] = edge[0];
            piece.count[axis] = edge[1] - edge[0];
            piece
        })
        .collect()
}

/// Runs the launch whole and in pieces, in both parameter spaces, and asserts equal results.
fn whole_and_split(gpu: &Gpu, launch: &Launch, pieces: &[Piece]) -> Outcome {
    let whole = launch.run(gpu);
    for space in [ParamSpace::Uniform, ParamSpace::Immediate { max_bytes: 128 }] {
        assert_eq!(launch.run_pieces(gpu, space, pieces), whole, "{space:?} {pieces:?}");
    }
    assert!(!whole.fault);
    whole
}

#[test]
fn ids_grid_and_lengths_are_those_of_the_whole_launch_however_it_is_cut() {
    let Some(gpu) = gpu() else { return };
    // Built-ins come as arguments, as members, and as a struct that is copied.
    let text = "
        struct In {
            @builtin(workgroup_id) wg: vec3<u32>,
            @builtin(local_invocation_index) li: u32,
            @builtin(num_workgroups) n: vec3<u32>,
        }
        @group(0) @binding(0) var<storage, read_write> out: array<array<vec3<u32>, 4>>;
        fn pack(v: vec3<u32>) -> u32 { return v.x | (v.y << 8u) | (v.z << 16u); }
        @compute @workgroup_size(4, 2, 1)
        fn main(in: In, @builtin(global_invocation_id) id: vec3<u32>) {
            let i = (id.z * 6u + id.y) * 20u + id.x;
            var copy = in;
            out[i][0] = id;
            out[i][1] = copy.wg + vec3(0u, 0u, 0u);
            out[i][2] = in.n;
            out[i][3] = vec3(in.li, arrayLength(&out), pack(in.wg));
        }";
    let launch = Launch::new(text, [5, 3, 2], vec![vec![0; 240 * 64]]);
    let mut expected = Vec::new();
    for (z, y, x) in (0..2).flat_map(|z| (0..6).flat_map(move |y| (0..20).map(move |x| (z, y, x))))
    {
        let wg = [x / 4, y / 2, z];
        let packed = wg[0] | wg[1] << 8 | wg[2] << 16;
        let index = (y % 2) * 4 + x % 4;
        for v in [[x, y, z], wg, [5, 3, 2], [index, 240, packed]] {
            expected.extend([v[0], v[1], v[2], 0u32]);
        }
    }
    for (axis, cuts) in [(0, vec![1, 4]), (1, vec![2]), (2, vec![1]), (0, vec![1, 2, 3, 4])] {
        let pieces = bands(&launch, axis, &cuts);
        assert_eq!(whole_and_split(gpu, &launch, &pieces).u32s(0), expected, "axis {axis}");
    }
}

/// A three-point sum; the first and the last element see zeros outside.
const SUM: &str = "
    @group(0) @binding(0) var<storage, read> a: array<f32>;
    @group(0) @binding(1) var<storage, read_write> b: array<f32>;
    @compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
        let i = i32(id.x);
        b[i] = a[i - 1] + 2.0 * a[i] + 4.0 * a[i + 1];
    }";

fn sum_of(a: &[f32]) -> Vec<f32> {
    let at = |i: i64| usize::try_from(i).ok().and_then(|i| a.get(i)).copied().unwrap_or(0.0);
    (0..a.len() as i64).map(|i| at(i - 1) + 2.0 * at(i) + 4.0 * at(i + 1)).collect()
}

#[test]
fn windows_with_a_halo_give_the_unsplit_result() {
    let Some(gpu) = gpu() else { return };
    // 59 elements, 64 invocations: the last five are outside of both arrays.
    let a: Vec<f32> = (0..59).map(|i| (i * i % 31) as f32).collect();
    let launch = Launch::new(SUM, [8, 1, 1], vec![bytes(&a), bytes(&vec![-1.0f32; 59])]);
    for cuts in [vec![], vec![3], vec![1, 2, 7], vec![1, 2, 3, 4, 5, 6, 7]] {
        let mut pieces = bands(&launch, 0, &cuts);
        for piece in &mut pieces {
            let start = u64::from(piece.first[0]) * 8;
            let end = (start + u64::from(piece.count[0]) * 8).min(59);
            piece.windows =
                vec![Some(start.saturating_sub(1)..(end + 1).min(59)), Some(start..end)];
        }
        assert_eq!(whole_and_split(gpu, &launch, &pieces).f32s(1), sum_of(&a));
    }
}

#[test]
fn what_is_not_in_the_window_reads_as_zero_and_is_not_written() {
    let Some(gpu) = gpu() else { return };
    let a = [1.0f32; 16];
    let launch = Launch::new(SUM, [2, 1, 1], vec![bytes(&a), bytes(&[-1.0f32; 16])]);
    let mut piece = launch.whole();
    for (read, expected) in [(5..9, 4.0 + 2.0 + 1.0), (0..0, 0.0), (16..16, 0.0)] {
        piece.windows = vec![Some(read), Some(6..8)];
        let out = launch.run_pieces(gpu, ParamSpace::Uniform, std::slice::from_ref(&piece));
        let mut wanted = [-1.0; 16];
        wanted[6..8].fill(expected);
        assert_eq!(out.f32s(1), wanted);
    }
    // An empty window of the output: nothing happens, and nothing outside of memory is touched.
    piece.windows = vec![None, Some(3..3)];
    let out = launch.run_pieces(gpu, ParamSpace::Uniform, &[piece]);
    assert_eq!(out.arguments, launch.arguments);
}

#[test]
fn a_header_belongs_to_every_window() {
    let Some(gpu) = gpu() else { return };
    let text = "
        struct Field { scale: vec2<u32>, seen: u32, cells: array<vec3<u32>> }
        @group(0) @binding(0) var<storage, read> src: Field;
        @group(0) @binding(1) var<storage, read_write> dst: Field;
        @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let i = id.x;
            let cells = &dst.cells;
            (*cells)[i] = src.cells[i] * src.scale.y + arrayLength(&src.cells);
            (*cells)[i].z = src.cells[7].x;
            if i == 2u { dst.seen = arrayLength(cells) + src.cells[4].y; }
        }";
    let cell = |i: u32| [i, 100 + i, 200 + i, 0];
    let mut src = vec![3, 5, 0, 0];
    src.extend((0..12).flat_map(cell));
    let dst = vec![9; 4 + 12 * 4];
    let launch = Launch::new(text, [3, 1, 1], vec![bytes(&src), bytes(&dst)]);
    let mut pieces = bands(&launch, 0, &[1, 2]);
    for (piece, read) in pieces.iter_mut().zip([0..8, 4..8, 7..12]) {
        let start = u64::from(piece.first[0]) * 4;
        piece.windows = vec![Some(read), Some(start..start + 4)];
    }
    let out = whole_and_split(gpu, &launch, &pieces).u32s(1);
    let mut expected = vec![9, 9, 12 + 104, 9];
    expected.extend((0..12).flat_map(|i| [5 * i + 12, 5 * (100 + i) + 12, 7, 9]));
    assert_eq!(out, expected);
}

#[test]
fn a_large_fixed_size_array_is_windowed_and_guarded_by_its_size() {
    let Some(gpu) = gpu() else { return };
    let text = "
        @group(0) @binding(0) var<storage, read> src: array<array<u32, 3>, 1024>;
        @group(0) @binding(1) var<storage, read_write> dst: array<vec2<u32>, 1500>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            dst[id.x] = vec2(src[id.x][1], src[id.x][id.x % 5u]);
            dst[700].y = 77u;
        }";
    let src: Vec<u32> = (0..3072).map(|i| i * 7).collect();
    let launch = Launch::new(text, [24, 1, 1], vec![bytes(&src), vec![0xFF; 12000]]);
    let mut pieces = bands(&launch, 0, &[10, 12]);
    for piece in &mut pieces {
        let start = u64::from(piece.first[0]) * 64;
        let end = start + u64::from(piece.count[0]) * 64;
        piece.windows =
            vec![Some(start.min(1024)..end.min(1024)), Some(start.min(1500)..end.min(1500))];
    }
    // The constant index is in the window of one piece only; the others must not write it.
    let out = whole_and_split(gpu, &launch, &pieces).u32s(1);
    let at = |i: usize, j: usize| if i < 1024 && j < 3 { src[i * 3 + j] } else { 0 };
    let expected: Vec<u32> =
        (0..1500).flat_map(|i| [at(i, 1), if i == 700 { 77 } else { at(i, i % 5) }]).collect();
    assert_eq!(out, expected);
}

#[test]
fn a_fixed_size_array_taken_whole_is_brought_whole() {
    let Some(gpu) = gpu() else { return };
    let text = "
        @group(0) @binding(0) var<storage, read> src: array<mat4x4<f32>, 80>;
        @group(0) @binding(1) var<storage, read_write> dst: array<f32>;
        @group(0) @binding(2) var<storage, read_write> copy: array<mat4x4<f32>, 80>;
        @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            let all = src;
            if id.x == 0u { copy = all; copy[1][0].x = 3.0; }
            dst[id.x] = all[5][0].x + src[id.x * 6u][0].y;
        }";
    let src: Vec<f32> = (0..1280).map(|i| 1.0 + i as f32).collect();
    let arguments = vec![bytes(&src), vec![0; 64], vec![0; 5120]];
    let launch = Launch::new(text, [4, 1, 1], arguments);
    let mut pieces = bands(&launch, 0, &[2]);
    for (piece, window) in pieces.iter_mut().zip([0..8, 8..16]) {
        // The harness, like the executor, ignores windows of bindings that are not windowable.
        piece.windows = vec![Some(3..5), Some(window), Some(0..0)];
    }
    let out = whole_and_split(gpu, &launch, &pieces);
    let expected: Vec<f32> =
        (0..16).map(|i| src[80] + if i < 14 { src[i * 96 + 1] } else { 0.0 }).collect();
    assert_eq!(out.f32s(1), expected);
    let mut copied = src;
    copied[16] = 3.0;
    assert_eq!(out.f32s(2), copied);
}

#[test]
fn half_precision_elements_are_windowed_at_odd_places() {
    let Some(gpu) = gpu() else { return };
    if !gpu.device.features().contains(wgpu::Features::SHADER_F16) {
        eprintln!("skipped: the adapter has no f16");
        return;
    }
    let text = "enable f16;
        @group(0) @binding(0) var<storage, read> a: array<f16>;
        @group(0) @binding(1) var<storage, read_write> b: array<f32>;
        @compute @workgroup_size(1) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            b[id.x] = f32(a[id.x] + a[id.x + 1]);
        }";
    let a: Vec<half::f16> = (0..7).map(|i| half::f16::from_f32(i as f32 * 0.5)).collect();
    let launch = Launch::new(text, [7, 1, 1], vec![bytes(&a), vec![0; 28]]);
    let mut pieces = bands(&launch, 0, &[3]);
    pieces[0].windows = vec![Some(0..4), Some(0..3)];
    pieces[1].windows = vec![Some(3..7), Some(3..7)];
    let out = whole_and_split(gpu, &launch, &pieces).f32s(1);
    assert_eq!(out, [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 3.0]);
}

#[test]
fn a_users_immediate_of_any_type_arrives_in_either_parameter_space() {
    let Some(gpu) = gpu() else { return };
    let text = "
        struct Inner { flag: u32, pair: vec2<f32> }
        struct Mine { m: mat2x3<f32>, i: i32, inner: array<Inner, 2>, last: f32 }
        var<immediate> mine: Mine;
        @group(0) @binding(0) var<storage, read_write> out: array<f32>;
        @compute @workgroup_size(4) fn main(@builtin(global_invocation_id) id: vec3<u32>,
            @builtin(num_workgroups) n: vec3<u32>) {
            let k = id.x;
            let row = mine.m[k & 1u];
            out[k * 4u] = row.z + mine.m[1].y;
            out[k * 4u + 1u] = f32(mine.i) + mine.inner[k].pair[k];
            out[k * 4u + 2u] = f32(mine.inner[1].flag) + f32(n.x);
            out[k * 4u + 3u] = mine.last;
        }";
    // m at 0, two columns of 16 bytes; i at 32; inner at 40, with flag at 0 and pair at 8 of 16
    // bytes; last at 72; 80 bytes in all.
    let f = f32::to_bits;
    let mine = [
        [f(1.0), f(2.0), f(3.0), 0, f(4.0), f(5.0), f(6.0), 0].as_slice(),
        &[(-7i32) as u32, 0],
        &[1, 0, f(10.0), f(20.0), 9, 0, f(30.0), f(40.0)],
        &[f(0.25), 0],
    ]
    .concat();
    let launch = Launch::new(text, [2, 1, 1], vec![vec![0; 128], bytes(&mine)]);
    let out = whole_and_split(gpu, &launch, &bands(&launch, 0, &[1])).f32s(0);
    let expected: Vec<f32> = (0..8)
        .flat_map(|k| {
            let pair = [10.0, 40.0].get(k).copied().unwrap_or(0.0);
            [if k % 2 == 0 { 8.0 } else { 11.0 }, pair - 7.0, 11.0, 0.25]
        })
        .collect();
    assert_eq!(out, expected);
}
