// All four quadrants and the negative half of the x axis.
//! invocations 8
//! ulps 4
//! tolerance 1e-6 1e-3
//! bind y f32 0 1 1 -1 -1 1 -2 0
//! bind x f32 1 1 -1 -1 1 2 0.5 -1
//! zeros dst f32 8
//! expect dst f32 0 0.7853982 2.3561945 -2.3561945 -0.7853982 0.4636476 -1.3258177 3.1415927
@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = atan2(y[i], x[i]);
}
