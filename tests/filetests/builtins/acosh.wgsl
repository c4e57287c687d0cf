// Inverse hyperbolic cosine for x >= 1.
//! invocations 5
//! ulps 4
//! tolerance 1e-3 1e-5
//! bind src f32 1 1.5 2 10 1000
//! zeros dst f32 5
//! expect dst f32 0 0.9624236 1.316958 2.993223 7.600902
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 5u { return; }
    dst[i] = acosh(src[i]);
}
