// Overflow gives infinity, 0 / 0 and inf - inf give NaN.
//! invocations 6
//! only cpu: WGSL lets an implementation assume that there are no infinities and no NaN
//! bind a f32 3e+38 -3e+38 0 1 -1 inf
//! bind b f32 10 10 0 0 0 inf
//! zeros dst f32 18
//! expect dst f32 inf -inf 0 0 -0 inf 3e+37 -3e+37 nan inf -inf nan 3e+38 -3e+38 0 1 -1 nan
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 6u { return; }
    dst[i] = a[i] * b[i];
    dst[i + 6u] = a[i] / b[i];
    dst[i + 12u] = a[i] - b[i];
}
