// Hyperbolic sine.
//! invocations 7
//! ulps 4
//! tolerance 1e-6 4e-5
//! bind src f32 0 0.5 -0.5 1 -2 5 0.0001
//! zeros dst f32 7
//! expect dst f32 0 0.5210953 -0.5210953 1.1752012 -3.6268604 74.20321 0.0001
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 7u { return; }
    dst[i] = sinh(src[i]);
}
