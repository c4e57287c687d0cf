// @align and @size move members; the offsets are 0, 32, 48, 64 and the stride is 96.
//! workgroups 2
//! bind src u32 1 7*7 2 3*7 3 3*7 4 5 6 5*7 11 7*7 12 3*7 13 3*7 14 15 16 5*7
//! zeros dst u32 12
//! expect dst u32 1 2 3 4 5 6 11 12 13 14 15 16
struct Item {
    @size(20) a: u32,
    @align(32) b: u32,
    @align(16) @size(16) c: u32,
    d: vec3<u32>,
    @size(16) e: u32,
}
@group(0) @binding(0) var<storage, read> src: array<Item>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
    let i = id.x;
    dst[6u * i] = src[i].a;
    dst[6u * i + 1u] = src[i].b;
    dst[6u * i + 2u] = src[i].c;
    dst[6u * i + 3u] = src[i].d.x;
    dst[6u * i + 4u] = src[i].d.y;
    dst[6u * i + 5u] = src[i].d.z;
}
