// A whole struct read out of bounds is all zeros; a write out of bounds does nothing.
//! invocations 2
//! bind at u32 0 9
//! bind items u32 1 2 f32 3 0 u32 5 6 f32 7 0
//! expect items u32 1 2 f32 3 0 u32 5 6 f32 7 0
//! bind dst f32 1 1 1 1 1 1
//! expect dst f32 1 2 3 0 0 0
struct Item { v: vec2<u32>, x: f32 }
@group(0) @binding(0) var<storage, read> at: array<u32>;
@group(0) @binding(1) var<storage, read_write> items: array<Item>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = items[at[id.x]];
    items[at[id.x] + 100u * id.x] = item;
    dst[3u * id.x] = f32(item.v.x);
    dst[3u * id.x + 1u] = f32(item.v.y);
    dst[3u * id.x + 2u] = item.x;
}
