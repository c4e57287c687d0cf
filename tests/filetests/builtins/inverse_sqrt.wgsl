// 1 / sqrt(x), 2 ULP.
//! invocations 7
//! ulps 2
//! tolerance 0 5e-7
//! bind src f32 1 2 0.25 10000000000 1e-10 3 1e+38
//! zeros dst f32 7
//! expect dst f32 1 0.70710677 2 1e-05 100000 0.57735026 1.00000003e-19
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 7u { return; }
    dst[i] = inverseSqrt(src[i]);
}
