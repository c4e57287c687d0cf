// Hyperbolic tangent.
//! invocations 9
//! ulps 4
//! tolerance 1e-5 4e-5
//! bind src f32 0 0.5 -0.5 1 -2 5 0.0001 20 -20
//! zeros dst f32 9
//! expect dst f32 0 0.46211717 -0.46211717 0.7615942 -0.9640276 0.9999092 0.0001 1 -1
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 9u { return; }
    dst[i] = tanh(src[i]);
}
