// Reading past the end of a buffer gives zero, however far past.
//! invocations 6
//! bind at u32 0 3 4 5 4294967295 1073741824
//! bind src u32 11 12 13 14
//! bind dst u32 6*7
//! expect dst u32 11 14 0 0 0 0
@group(0) @binding(0) var<storage, read> at: array<u32>;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(2)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = src[at[id.x]];
}
