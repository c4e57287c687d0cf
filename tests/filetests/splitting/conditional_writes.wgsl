// Which elements are written depends on the data.
//! invocations 12
//! bind src u32 1 0 0 1 1 0 1 0 0 0 0 1
//! bind dst u32 12*9
//! expect dst u32 0 9 9 3 4 9 6 9 9 9 9 11
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(2)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if src[id.x] != 0u { dst[id.x] = id.x; }
}
