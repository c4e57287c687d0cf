//! Layouts, copies, bounds in every address space, and variables.

use super::{bits, device, floats, launch, launch_on, output};
use crate::error::Error;

#[test]
fn accesses_out_of_bounds_read_zero_and_write_nothing() {
    // Indices 3 to 6 of arrays of 4, and -1; `j` is unsigned, `k` signed.
    let declarations = "
        struct S { v: array<f32, 4>, m: mat4x4<f32>, tail: u32 }
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        @group(0) @binding(1) var<storage, read_write> run: array<u32>;
        @group(0) @binding(2) var<storage, read_write> fixed: S;
        @group(0) @binding(3) var<uniform> uni: array<vec4<u32>, 4>;
        var<private> own: array<u32, 4> = array(50u, 51u, 52u, 53u);
        var<workgroup> shared_words: array<u32, 4>;
        var<workgroup> after: u32;";
    let cases: [(&str, [u32; 4]); 10] = [
        ("let x = run[j];", [13, 0, 0, 0]),
        ("let x = run[k];", [13, 0, 0, 0]),
        ("let x = u32(fixed.v[j]);", [23, 0, 0, 0]),
        ("let x = u32(fixed.m[j][3]) + u32(fixed.m[3][k]) / 1000u;", [33, 0, 0, 0]),
        ("let x = uni[j].z;", [43, 0, 0, 0]),
        ("let x = uni[2][k];", [42, 0, 0, 0]),
        ("let x = own[k];", [53, 0, 0, 0]),
        ("own[j] = 7u; let x = own[0] + own[1] + own[2] + own[3];", [160, 206, 206, 206]),
        ("shared_words[j] = 7u; after += 1u; let x = shared_words[j] + after;", [8, 1, 1, 1]),
        ("var l = array(1u, 2u, 3u, 4u); l[k] = 9u; let x = l[k] * 100u + l[3];", [909, 4, 4, 4]),
    ];
    for (body, wanted) in cases {
        for (turn, index) in [3i32, 4, 6, -1].into_iter().enumerate() {
            let text = format!(
                "{declarations}
                @compute @workgroup_size(1) fn main() {{
                    let used = run[0] + u32(fixed.v[0]) + uni[0].x;
                    let k = bitcast<i32>(out[1]); let j = out[1];
                    {body}
                    out[0] = x;
                }}"
            );
            let fixed: Vec<f32> = (20..24)
                .map(|i| i as f32)
                .chain((0..16).map(|i| if i / 4 == 3 && i % 4 == 3 { 33.0 } else { i as f32 }))
                .collect();
            let mut fixed = bits(&fixed);
            fixed.extend([77, 0, 0, 0]);
            let mut data = [vec![0, index as u32], vec![10, 11, 12, 13], fixed, vec![40; 16]];
            data[3][3 * 4 + 2] = 43;
            data[3][2 * 4 + 3] = 42;
            launch(&text, [1, 1, 1], &mut data);
            assert_eq!(data[0][0], wanted[turn], "{body} at {index}");
        }
    }
}

#[test]
fn writes_out_of_bounds_leave_storage_alone() {
    let text = "
        struct S { head: u32, a: array<vec3<u32>, 2>, m: mat2x2<f32>, run: array<vec2<u32>> }
        @group(0) @binding(0) var<storage, read_write> s: S;
        @group(0) @binding(1) var<storage> index: array<i32>;
        @compute @workgroup_size(8) fn main(@builtin(local_invocation_index) i: u32) {
            let k = index[i];
            s.run[k] = vec2(1u, 2u);
            s.run[u32(k) + 1u][k] = 3u;
            s.a[k] = vec3(5u);
            s.a[1][k] = 6u;
            s.m[k] = vec2(7.0);
            s.m[1][k] = 8.0;
        }";
    // Header: head at 0, a at 16 and 32, m at 48 and 56, run from 64 on, 3 elements.
    let mut data = [vec![9; 16 + 6], (0..8).map(|i| (100 + i * 1000) as u32).collect()];
    data[1][3] = u32::MAX;
    data[1][4] = i32::MIN as u32;
    data[1][5] = 3;
    data[1][6] = 0x4000_0000;
    let before = data[0].clone();
    launch(text, [1, 1, 1], &mut data);
    // Index -1 reaches one element, run[-1 + 1], but its component -1 is out of bounds too. Index 3 reaches
    // only run[4], which does not exist.
    assert_eq!(data[0], before);
}

#[test]
fn composite_values_have_wgsl_layout_and_padding_is_left_alone() {
    let text = "
        struct Inner { p: vec3<f32>, w: f32, q: vec3<u32> }
        struct Outer { a: u32, inner: array<Inner, 2>, m: mat3x3<f32>, t: vec2<f32> }
        @group(0) @binding(0) var<storage> src: array<Outer>;
        @group(0) @binding(1) var<storage, read_write> dst: array<Outer>;
        @compute @workgroup_size(2) fn main(@builtin(local_invocation_index) i: u32) {
            var copy = src[i];
            let other = copy;
            copy.inner[1 - i] = other.inner[i];
            copy.m[i].y = 0.5;
            copy.m = copy.m * 2.0;
            dst[1u - i] = copy;
        }";
    // a 0, inner 16: p 0 w 12 q 16 (stride 32), m 80: columns of 16, t 128; stride 144.
    let words = 36;
    let src: Vec<u32> = (0..2 * words as u32).map(|k| (k as f32).to_bits()).collect();
    let mut data = [src.clone(), vec![0xaaaa_aaaa; 2 * words]];
    launch(text, [1, 1, 1], &mut data);
    let f = |x: u32| f32::from_bits(x);
    for i in 0..2usize {
        let (from, to) = (&src[i * words..][..words], &data[1][(1 - i) * words..][..words]);
        for k in 0..words {
            let padding = (1..4).contains(&k)
                || [11, 19].contains(&k)
                || [23, 27, 31].contains(&k)
                || (34..36).contains(&k);
            let wanted = if padding {
                0xaaaa_aaaa
            } else if (20..32).contains(&k) {
                let old = if k == 20 + 4 * i + 1 { 0.5 } else { f(from[k]) };
                (old * 2.0).to_bits()
            } else if k >= 4 + 8 * (1 - i) && k < 4 + 8 * (2 - i) {
                from[k - 8 * (1 - i) + 8 * i]
            } else {
                from[k]
            };
            assert_eq!(to[k], wanted, "element {i} word {k}");
        }
    }
}

#[test]
fn f16_lies_in_two_bytes() {
    let text = "enable f16;
        struct P { a: f16, v: vec3<f16>, m: mat2x2<f16> }
        @group(0) @binding(0) var<storage, read_write> data: array<f16>;
        @group(0) @binding(1) var<uniform> p: P;
        @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
            data[2u * i + 1u] = data[2u * i] * p.v[i] + p.a + p.m[1].y;
        }";
    let h = |x: f32| u32::from(half::f16::from_f32(x).to_bits());
    // v at 8, m at 16 with columns of 4 bytes.
    let uniform = vec![h(0.5), 0, h(1.0) | h(2.0) << 16, h(3.0), 0, h(0.0) | h(100.0) << 16];
    let mut data = [(0..4).map(|i| h(i as f32 + 1.0) | 0xffff_0000).collect(), uniform];
    launch(text, [1, 1, 1], &mut data);
    let wanted: Vec<u32> = [1.0, 4.0, 9.0, 0.0]
        .iter()
        .enumerate()
        .map(|(i, x)| h(i as f32 + 1.0) | h(x + 100.5) << 16)
        .collect();
    assert_eq!(data[0], wanted);
}

#[test]
fn array_length_is_that_of_the_runtime_array() {
    let text = "
        struct S { head: vec4<u32>, run: array<vec3<f32>> }
        @group(0) @binding(0) var<storage, read_write> s: S;
        @group(0) @binding(1) var<storage> w: array<u32>;
        @compute @workgroup_size(1) fn main() { s.head = vec4(arrayLength(&s.run), arrayLength(&w), 3u, 4u); }";
    let mut data = [vec![0; 4 + 4 * 5], vec![0; 7]];
    launch(text, [1, 1, 1], &mut data);
    assert_eq!(data[0][..4], [5, 7, 3, 4]);
}

#[test]
fn variables_start_anew_for_each_workgroup() {
    let text = "
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        struct P { a: u32, flags: array<bool, 2> }
        var<private> p: P = P(5u, array(true, false));
        var<private> zero: vec2<u32>;
        var<workgroup> count: array<u32, 2>;
        @compute @workgroup_size(2) fn main(@builtin(workgroup_id) w: vec3<u32>, @builtin(local_invocation_index) i: u32) {
            var l: array<u32, 3>;
            for (var k = 0u; k < 3u; k++) { var fresh: u32; fresh += k; l[k] += fresh; }
            count[i] += 1u; zero.y += 1u; p.a += 1u;
            if p.flags[0] { p.flags[1] = true; }
            out[w.x * 2u + i] = count[i] + 10u * zero.y + 100u * p.a + 1000u * l[2] + select(0u, 10000u, p.flags[1]);
        }";
    let mut data = [vec![0; 400]];
    launch(text, [200, 1, 1], &mut data);
    assert_eq!(data[0], [12_611; 400]);
}

#[test]
fn locals_are_indexed_by_each_invocation_alone() {
    let text = "@compute @workgroup_size(20) fn main(@builtin(local_invocation_index) i: u32) {
        var a: array<array<vec2<u32>, 3>, 4>;
        for (var k = 0u; k < 12u; k++) { a[k / 3u][k % 3u] = vec2(k, i); }
        let row = a[i % 4u];
        a[0] = row;
        out[i] = a[0][i % 3u].x * 100u + row[2].y;
    }";
    let wanted: Vec<u32> = (0..20).map(|i| (i % 4 * 3 + i % 3) * 100 + i).collect();
    assert_eq!(output(text, 20), wanted);
}

#[test]
fn an_immediate_is_a_value() {
    let text = "
        struct I { a: u32, b: f32 }
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        var<immediate> imm: I;
        @compute @workgroup_size(1) fn main() { out[0] = imm.a + u32(imm.b); }";
    let mut data = [vec![0], vec![40, 2.5f32.to_bits()]];
    launch(text, [1, 1, 1], &mut data);
    assert_eq!(data[0], [42]);
}

#[test]
fn private_arrays_beyond_all_measure_are_refused() {
    let text = "
        @group(0) @binding(0) var<storage, read_write> out: array<u32>;
        var<private> big: array<f32, 20000000>;
        @compute @workgroup_size(64) fn main(@builtin(local_invocation_index) i: u32) {
            big[i] = 1.0; out[i] = u32(big[out[i]]);
        }";
    let mut data = [vec![0; 64]];
    match launch_on(device(), text, [1, 1, 1], &mut data, 1) {
        Err(Error::Unsupported { .. }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn negative_and_huge_indices_find_nothing_in_large_buffers() {
    let text = "
        @group(0) @binding(0) var<storage, read_write> out: array<f32>;
        @compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
            let k = 2i - i32(i) * 3i;
            out[k] = f32(i) + 1.0;
        }";
    let mut data = [vec![0; 8]];
    launch(text, [1, 1, 1], &mut data);
    assert_eq!(floats(&data[0]), [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}
