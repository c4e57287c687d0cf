// The neighbours of the first and the last element are outside: zero, from both sides.
//! invocations 6
//! split
//! bind src u32 1 2 3 4 5 6
//! zeros dst u32 6
//! expect dst u32 2 4 6 8 10 5
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(2)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = i32(id.x);
    dst[i] = src[i - 1] + src[i + 1];
}
