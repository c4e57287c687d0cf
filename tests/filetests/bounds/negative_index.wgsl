// A negative i32 index is out of bounds: it reads zero and writes nothing.
//! invocations 5
//! bind at i32 -1 0 -2147483648 3 2147483647
//! bind src u32 11 12 13 14
//! zeros dst u32 5
//! expect dst u32 0 11 0 14 0
//! bind out u32 4*7
//! expect out u32 11 7 7 14
@group(0) @binding(0) var<storage, read> at: array<i32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let v = src[at[id.x]];
    dst[id.x] = v;
    out[at[id.x]] = v;
}
