// Indices from a buffer reach anywhere in another.
//! invocations 8
//! split
//! bind at u32 7 0 3 3 1 6 9 2
//! bind src u32 10..18
//! zeros dst u32 8
//! expect dst u32 17 10 13 13 11 16 0 12
@group(0) @binding(0) var<storage, read> at: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(2)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = src[at[id.x]];
}
