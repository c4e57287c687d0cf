// Every comparison with NaN is false, but != is true.
//! invocations 4
//! only cpu: WGSL lets an implementation assume that there is no NaN
//! bind a f32 nan nan inf -inf
//! bind b f32 nan 1 inf inf
//! zeros dst u32 4
//! expect dst u32 32 32 26 35
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = u32(a[i] < b[i]) | u32(a[i] <= b[i]) << 1u | u32(a[i] > b[i]) << 2u
        | u32(a[i] >= b[i]) << 3u | u32(a[i] == b[i]) << 4u | u32(a[i] != b[i]) << 5u;
}
