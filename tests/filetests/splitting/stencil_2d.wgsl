// A five-point stencil with its border copied: a band of rows reads one more row on each side.
//! invocations 5,6
//! split
//! set size u32 5 6
//! bind src u32 0..30
//! zeros dst u32 30
//! expect dst u32 0 1 2 3 4 5 84 98 112 9 10 154 168 182 14 15 224 238 252 19 20 294 308 322 24
//! expect dst u32 25 26 27 28 29
@group(0) @binding(0) var<uniform> size: vec2<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= size.x || id.y >= size.y { return; }
    let i = id.y * size.x + id.x;
    if id.x == 0u || id.y == 0u || id.x == size.x - 1u || id.y == size.y - 1u {
        dst[i] = src[i];
        return;
    }
    dst[i] = src[i - 1u] + src[i + 1u] + src[i - size.x] + src[i + size.x] + 10u * src[i];
}
