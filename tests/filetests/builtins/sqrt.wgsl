// Square roots: to the bit on the CPU, accuracy as WGSL asks elsewhere.
//! invocations 8
//! ulps 0
//! tolerance 0 5e-7
//! bind src f32 0 1 2 0.25 10000000000 1e-10 3 1e+38
//! zeros dst f32 8
//! expect dst f32 0 1 1.4142135 0.5 100000 1e-05 1.7320508 1e+19
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = sqrt(src[i]);
}
