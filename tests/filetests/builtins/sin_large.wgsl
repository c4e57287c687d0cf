// Full range reduction on the CPU, up to the largest float.
//! invocations 8
//! ulps 4
//! only cpu: WGSL gives no accuracy for sin outside [-π, π]
//! bind src f32 100 -1000 100000 10000000000 1e+20 -3e+38 355 22
//! zeros dst f32 8
//! expect dst f32 -0.50636566 -0.82687956 0.0357488 -0.48750603 0.6565767 -0.8749049
//! expect dst f32 -3.0144354e-05 -0.008851309
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = sin(src[i]);
}
