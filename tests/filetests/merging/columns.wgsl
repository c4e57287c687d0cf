// A matrix of 3 rows and 10 columns, cut by columns: the ranges around the bands' elements
// overlap, the elements do not.
//! workgroups 5
//! split
//! bind src u32 0..30
//! bind dst u32 30*7
//! expect dst u32 0 10 20 1 11 21 2 12 22 3 13 23 4 14 24 5 15 25 6 16 26 7 17 27 8 18 28 9 19 29
//! bind copy u32 30*7
//! expect copy u32 0 2 4 6 8 10 12 14 16 18 20 22 24 26 28 30 32 34 36 38 40 42 44 46 48 50 52 54 56
//! expect copy u32 58
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
@group(0) @binding(2) var<storage, read_write> copy: array<u32>;

@compute @workgroup_size(2, 3)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.y * 10u + id.x;
    dst[id.x * 3u + id.y] = src[at];
    copy[at] = 2u * src[at];
}
