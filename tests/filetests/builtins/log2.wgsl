// The logarithm to base 2.
//! invocations 8
//! ulps 4
//! tolerance 1e-6 1e-6
//! bind src f32 1 2 0.5 10 1e-10 1e+30 0.999 1.001
//! zeros dst f32 8
//! expect dst f32 0 1 -1 3.321928 -33.21928 99.657845 -0.0014433983 0.0014420415
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = log2(src[i]);
}
