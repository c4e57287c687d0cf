// All six comparisons as bits, on zeros of both signs too.
//! invocations 5
//! bind a f32 1 2 2 0 -0
//! bind b f32 2 1 2 -0 0
//! zeros dst u32 5
//! expect dst u32 35 44 26 26 26
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 5u { return; }
    dst[i] = u32(a[i] < b[i]) | u32(a[i] <= b[i]) << 1u | u32(a[i] > b[i]) << 2u
        | u32(a[i] >= b[i]) << 3u | u32(a[i] == b[i]) << 4u | u32(a[i] != b[i]) << 5u;
}
