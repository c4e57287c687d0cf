// Powers of positive numbers.
//! invocations 8
//! ulps 4
//! tolerance 0 1e-4
//! bind x f32 2 2 10 0.5 9 1 0.001 7.5
//! bind y f32 3 -2 5 0.5 0.5 100 2 0
//! zeros dst f32 8
//! expect dst f32 8 0.25 100000 0.70710677 3 1 1.0000001e-06 1
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = pow(x[i], y[i]);
}
