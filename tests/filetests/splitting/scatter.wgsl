// A permutation known only at run time: no two invocations write the same element.
//! invocations 8
//! bind to u32 3 7 0 4 1 6 2 5
//! bind dst u32 10*9
//! expect dst u32 2 4 6 0 3 7 5 1 9 9
@group(0) @binding(0) var<storage, read> to: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[to[id.x]] = id.x;
}
