//! Where a person would see which elements are touched, the analysis sees them too: one small
//! kernel for each way of writing an index.

use super::tests::{Launch, rows};
use crate::region::Region;

/// What `body` reads of `src` and writes of `dst`, in a band of `x`, `y` groups of 8 by 4
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

/// What a band of `x` from 16 to 31 writes.
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
    // At the border a person clamps the neighbour, in rows of 100.
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
    // A matrix transposed by its elements' numbers: 100 to a row, in columns of 40.
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
