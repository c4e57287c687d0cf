// Arc tangent.
//! invocations 7
//! ulps 4
//! tolerance 1e-6 5e-4
//! bind src f32 0 0.5 -0.5 1 10 -10000000000 0.0001
//! zeros dst f32 7
//! expect dst f32 0 0.4636476 -0.4636476 0.7853982 1.4711276 -1.5707964 0.0001
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 7u { return; }
    dst[i] = atan(src[i]);
}
