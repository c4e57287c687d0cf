// Additions, differences and products round to nearest.
//! invocations 8
//! ulps 0
//! tolerance 0 1.2e-7
//! bind a f32 1 -7.5 3 1e+20 2 1e-30 -0.75 12345.7
//! bind b f32 4 2.5 8 10000000000 -16 4 0.5 0.125
//! zeros dst f32 24
//! expect dst f32 5 -5 11 1e+20 -14 4 -0.25 12345.825 -3 -10 -5 1e+20 18 -4 -1.25 12345.575 4
//! expect dst f32 -18.75 24 1e+30 -32 4e-30 -0.375 1543.2125
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = a[i] + b[i];
    dst[i + 8u] = a[i] - b[i];
    dst[i + 16u] = a[i] * b[i];
}
