// Within [-π, π].
//! invocations 8
//! ulps 4
//! tolerance 5e-4 0
//! bind src f32 0 0.5 -0.5 1 1.5707964 3 -3 3.1415927
//! zeros dst f32 8
//! expect dst f32 0 0.47942555 -0.47942555 0.84147096 1 0.14112 -0.14112 -8.742278e-08
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = sin(src[i]);
}
