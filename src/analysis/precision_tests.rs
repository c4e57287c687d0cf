//! Precision: the analysis finds the elements that a person would find, in one small kernel for each way of
//! writing an index.

use super::tests::{Launch, rows};
use crate::region::Region;

/// The elements that `body` reads of `src` and writes of `dst`, in a band of `x`, `y` groups of 8 by 4
/// invocations of a grid of 13 by 10.
fn touched(body: &str, axis: usize, band: (u32, u32)) -> (Region, Region) {
    let text = format!(
        "struct Values {{ w: u32, h: u32, s: i32, n: u32 }}
         @group(0) @binding(0) var<uniform> v: Values;
         @group(0) @binding(1) var<storage, read> src: array<u32>;
         @group(0) @binding(2) var<storage, read_write> dst: array<u32>;
         @compute @workgroup_size(8, 4)
         fn main(
             @builtin(global_invocation_id) id: vec3<u32>,
             @builtin(local_invocation_id) local: vec3<u32>,
             @builtin(workgroup_id) group: vec3<u32>,
             @builtin(num_workgroups) groups: vec3<u32>,
         ) {{
             _ = &src; _ = &dst; _ = v.w;
             let x = id.x; let y = id.y;
             {body}
         }}"
    );
    let mut launch = Launch::new(&text, &[100, 40, 5, 1000], &[8000, 8000], [13, 10, 1]);
    let mut got = launch.band(axis, band.0, band.1);
    let dst = got.pop().expect("dst");
    (got.pop().expect("src").read, dst.may_write)
}

/// The elements that a band of `x` from 16 to 31 writes.
fn writes(body: &str) -> Region {
    touched(body, 0, (2, 4)).1
}

fn range(start: u64, end: u64) -> Region {
    (start..end).into()
}

#[test]
fn loops_that_stride_and_nest() {
    let body = "for (var i = x; i < v.n; i += 8u * groups.x) { dst[i] = src[i]; }";
    let (read, write) = touched(body, 0, (2, 4));
    assert_eq!(read, rows(16, 10, 16, 104));
    assert_eq!(write, read);
    let body = "for (var r = 0u; r < 2u; r++) { for (var c = 0u; c < 4u; c++) {
        dst[(y * 2u + r) * v.w + x * 4u + c] = 1u; } }";
    assert_eq!(touched(body, 0, (1, 2)).1, rows(32, 80, 32, 100));
    assert_eq!(touched(body, 1, (1, 2)).1, range(800, 1916));
    let body = "for (var k = 0u; k < v.h; k += 2u) { dst[k * v.w + x] = src[x * v.h + k]; }";
    let (read, write) = touched(body, 0, (2, 4));
    assert_eq!((read, write), (rows(640, 320, 1, 2), rows(16, 20, 16, 200)));
    let body = "for (var i = i32(v.h) - 1; i >= 0; i--) { dst[i * i32(v.w) + i32(x)] = 1u; }";
    assert_eq!(writes(body), rows(16, 40, 16, 100));
}

#[test]
fn switches_and_early_returns() {
    let body = "var o = 0u; switch v.h { case 40u: { o = 7u; } default: { o = 9u; } }
        dst[x + o] = 1u;";
    assert_eq!(writes(body), range(23, 39));
    let body = "switch x & 3u { case 0u: { dst[x] = 1u; } default: { } }";
    assert_eq!(writes(body), rows(16, 4, 1, 4));
    assert_eq!(writes("if x >= 20u { return; } dst[x] = 1u;"), range(16, 20));
    assert_eq!(writes("if x < 20u || x >= v.w { return; } dst[x] = 1u;"), range(20, 32));
    let body = "if x % 2u == 1u { return; } dst[x] = 1u;";
    assert_eq!(writes(body), rows(16, 8, 1, 2));
}

#[test]
fn minima_maxima_clamps_and_selections() {
    assert_eq!(writes("dst[min(x, 20u)] = 1u;"), range(16, 21));
    assert_eq!(writes("dst[max(x, 20u) + 1u] = 1u;"), range(21, 33));
    assert_eq!(writes("dst[u32(clamp(i32(x) - 20, 0, 3))] = 1u;"), range(0, 4));
    assert_eq!(writes("dst[select(x, 30u, x < 20u)] = 1u;"), range(20, 32));
    assert_eq!(writes("dst[min(x + 1u, v.w - 1u)] = 1u;"), range(17, 33));
    // The neighbour is clamped at the border, in rows of 100.
    let body = "if x < v.w { dst[y * v.w + x] = src[y * v.w + min(x + 1u, v.w - 1u)]; }";
    assert_eq!(touched(body, 0, (2, 4)).0, rows(17, 40, 16, 100));
    let body = "if x < v.w { dst[y * v.w + x] = src[max(y, 1u) * v.w - v.w + x]; }";
    assert_eq!(touched(body, 1, (2, 4)).0, range(700, 1500));
}

#[test]
fn shifts_and_masks() {
    assert_eq!(writes("dst[x << 2u] = 1u;"), rows(64, 16, 1, 4));
    assert_eq!(writes("dst[x >> 2u] = 1u;"), range(4, 8));
    assert_eq!(writes("dst[x & 7u] = 1u;"), range(0, 8));
    assert_eq!(writes("dst[x & ~7u] = 1u;"), rows(16, 2, 1, 8));
    assert_eq!(writes("dst[(x << 1u) | 1u] = 1u;"), rows(33, 16, 1, 2));
    assert_eq!(writes("dst[(x >> 3u) * 100u + (x & 7u)] = 1u;"), rows(200, 2, 8, 100));
}

#[test]
fn quotients_and_remainders_of_known_values() {
    assert_eq!(writes("dst[x / 5u] = 1u;"), range(3, 7));
    assert_eq!(writes("dst[x / 5u * 5u + x % 5u] = 1u;"), range(16, 32));
    // A matrix transposed by element numbers: rows of 100, columns of 40.
    let body = "let i = y * 8u * groups.x + x; dst[i % v.w * v.h + i / v.w] = src[i];";
    let (read, write) = touched(body, 1, (5, 6));
    assert_eq!((read, write), (range(2080, 2496), rows(20, 100, 5, 40)));
}

#[test]
fn differences_that_would_wrap_around_but_for_a_guard() {
    for guard in ["x - 1u < 20u", "x > 0u", "x != 0u", "x >= 1u && x < v.w - 1u", "i32(x) - 1 >= 0"]
    {
        let body = format!("if {guard} {{ dst[x - 1u] = 1u; }}");
        assert_eq!(touched(&body, 0, (0, 2)).1, range(0, 15), "{guard}");
    }
    let body = "if x == 0u { return; } dst[y * v.w + x - 1u] = 1u;";
    assert_eq!(touched(body, 0, (0, 2)).1, rows(0, 40, 15, 100));
}

#[test]
fn interleaved_and_two_dimensional_writes() {
    assert_eq!(writes("dst[x * 3u + 1u] = 1u;"), rows(49, 16, 1, 3));
    assert_eq!(writes("dst[x * 3u] = 1u; dst[x * 3u + 2u] = 1u;").len(), 32);
    assert_eq!(writes("if x < 30u && y < v.h { dst[y * v.w + x] = 1u; }"), rows(16, 40, 14, 100));
    assert_eq!(writes("dst[x * v.h + y] = 1u;"), range(640, 1280));
    assert_eq!(touched("dst[x * v.h + y] = 1u;", 1, (2, 4)).1, rows(8, 104, 8, 40));
}

/// Stages of in-place algorithms on the 256 elements of a workgroup of 64 invocations: `base` is the first
/// element, `l` the invocation's number.
const STAGES: [(&str, &str); 12] = [
    (
        "blocks of a size that doubles",
        "for (var s = 2u; s <= 256u; s *= 2u) { for (var b = 0u; b < 256u; b += s) {
            if l < s / 2u { dst[base + b + l + s / 2u] += 1u; } } }",
    ),
    (
        "a butterfly by shifts",
        "for (var s = 0u; s < 8u; s++) { for (var i = l; i < 128u; i += 64u) {
            let first = ((i >> s) << (s + 1u)) | (i & ((1u << s) - 1u));
            dst[base + first] += 1u; dst[base + first + (1u << s)] += 2u; } }",
    ),
    (
        "a butterfly by masks",
        "for (var s = 1u; s < 256u; s = s << 1u) { for (var i = l; i < 128u; i += 64u) {
            let first = ((i & ~(s - 1u)) << 1u) | (i & (s - 1u));
            dst[base + first] += dst[base + (first | s)]; } }",
    ),
    (
        "a butterfly by quotients, of twiddles that are strided",
        "var half = 1u; loop { if half == 256u { break; } for (var i = l; i < 128u; i += 64u) {
            let j = i % half; let first = (i / half) * half * 2u + j;
            dst[base + first] = dst[base + first + half] * src[j * (128u / half)]; }
            half = half * 2u; }",
    ),
    (
        "a sorting network by exclusive or",
        "for (var k = 2u; k <= 256u; k <<= 1u) { for (var j = k >> 1u; j > 0u; j >>= 1u) {
            for (var t = l; t < 256u; t += 64u) { let i = base + t; let other = i ^ j;
                if other > i && (i & k) == 0u { let x = dst[i]; dst[i] = dst[other]; dst[other] = x; }
            } } }",
    ),
    (
        "a sorting network that flips blocks",
        "for (var k = 2u; k <= 256u; k *= 2u) { for (var j = k; j > 1u; j /= 2u) {
            for (var i = l; i < 256u; i += 64u) {
                let other = select(i ^ (j / 2u), i ^ (j - 1u), j == k);
                if other > i { dst[base + other] = min(dst[base + i], dst[base + other]); } } } }",
    ),
    (
        "a scan up and down a tree",
        "var step = 1u; for (var d = 128u; d > 0u; d >>= 1u) { for (var i = l; i < d; i += 64u) {
            let a = step * (2u * i + 1u) - 1u; let b = step * (2u * i + 2u) - 1u;
            dst[base + b] += dst[base + a]; } step *= 2u; storageBarrier(); }
         if l == 0u { dst[base + 255u] = 0u; }
         for (var d = 1u; d < 256u; d *= 2u) { step >>= 1u; storageBarrier();
            for (var i = l; i < d; i += 64u) {
                let a = step * (2u * i + 1u) - 1u; let b = step * (2u * i + 2u) - 1u;
                let t = dst[base + a]; dst[base + a] = dst[base + b]; dst[base + b] += t; } }",
    ),
    (
        "a sum of neighbours ever farther apart",
        "for (var s = 1u; s < 64u; s *= 2u) { if l % (2u * s) == 0u { dst[base + l] += dst[base + l + s]; } }",
    ),
    (
        "a sum of halves",
        "for (var s = 128u; s > 0u; s >>= 1u) { for (var i = l; i < s; i += 64u) {
            dst[base + i] += dst[base + i + s]; } storageBarrier(); }",
    ),
    (
        "an order of reversed bits, then stages as a uniform says",
        "for (var i = l; i < 256u; i += 64u) { let r = reverseBits(i) >> 24u;
            if r > i { let x = dst[base + r]; dst[base + r] = dst[base + i]; dst[base + i] = x; } }
         for (var s = 1u; s <= v.stages; s++) { let m = 1u << s; for (var i = l; i < 128u; i += 64u) {
            let k = i / (m / 2u) * m + i % (m / 2u); dst[base + k] += dst[base + k + m / 2u]; } }",
    ),
    (
        "stages and what goes with them in variables",
        "var m = 2u; var n = 128u; for (var stage = 0u; stage < v.stages; stage++) { let h = m / 2u;
            for (var i = l; i < 128u; i += 64u) { let block = i / h; let at = i - block * h;
                dst[base + block * m + at] = dst[base + block * m + at + h] + src[at * n]; }
            m *= 2u; n /= 2u; }",
    ),
    (
        "bits taken out and put in",
        "for (var s = 0u; s < 8u; s++) { for (var i = l; i < 256u; i += 64u) {
            let bit = extractBits(i, s, 1u); if bit == 0u { dst[base + (i | (1u << s))] += dst[base + i]; }
            else { dst[base + (i & ~(1u << s))] += 1u; } } }",
    ),
];

#[test]
fn stages_in_place_stay_with_their_workgroup() {
    for (what, body) in STAGES {
        let text = format!(
            "struct Values {{ stages: u32 }}
             @group(0) @binding(0) var<uniform> v: Values;
             @group(0) @binding(1) var<storage, read> src: array<u32>;
             @group(0) @binding(2) var<storage, read_write> dst: array<u32>;
             @compute @workgroup_size(64)
             fn main(
                 @builtin(workgroup_id) w: vec3<u32>,
                 @builtin(local_invocation_index) l: u32,
             ) {{
                 let base = w.x * 256u;
                 dst[base] = src[v.stages];
                 {body}
             }}"
        );
        let mut launch = Launch::new(&text, &[8], &[256, 13 * 256], [13, 1, 1]);
        for (start, end) in [(0, 1), (2, 3), (3, 6), (12, 13)] {
            let own = u64::from(start) * 256..u64::from(end) * 256;
            let dst = launch.band(0, start, end).swap_remove(2);
            for touched in [dst.read.hull(), dst.may_write.hull()] {
                let inside = own.start <= touched.start && touched.end <= own.end;
                assert!(inside && !touched.is_empty(), "{what}: {touched:?} of {own:?}");
            }
        }
    }
}

#[test]
fn an_index_below_zero_touches_nothing_and_those_above_what_they_say() {
    assert_eq!(touched("dst[x] = src[x - 1u];", 0, (0, 2)).0, range(0, 15));
    assert_eq!(touched("dst[x - 3u] = 1u;", 0, (0, 2)).1, range(0, 13));
    let body = "dst[select(x - 1u, 0u, x == 0u)] = src[select(x - 1u, 0u, x == 0u)];";
    assert_eq!(touched(body, 0, (0, 2)), (range(0, 15), range(0, 15)));
    let body = "dst[y * v.w + x] = src[(y - 1u) * v.w + x] + src[(y + 1u) * v.w + x];";
    assert_eq!(touched(body, 1, (0, 1)).0, rows(0, 5, 104, 100));
}

#[test]
fn runs_of_bits_are_set_cleared_and_flipped() {
    assert_eq!(writes("dst[x ^ 8u] = 1u;"), range(16, 32));
    assert_eq!(writes("dst[x ^ 15u] = 1u;"), range(16, 32));
    assert_eq!(writes("dst[x ^ 32u] = 1u;"), range(48, 64));
    assert_eq!(writes("dst[x | 16u] = 1u;"), range(16, 32));
    assert_eq!(writes("dst[x & 12u] = 1u;"), rows(0, 4, 1, 4));
    assert_eq!(writes("dst[extractBits(x, 2u, 2u)] = 1u;"), range(0, 4));
    // Bands whose ends are not divisible by a power of two.
    assert_eq!(touched("dst[x ^ 4u] = 1u;", 0, (3, 6)).1, range(24, 48));
}
