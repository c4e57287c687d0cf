// Arc cosine on [-1, 1].
//! invocations 7
//! ulps 4
//! tolerance 1e-3 1e-3
//! bind src f32 0 0.5 -0.5 0.9 1 -1 0.0001
//! zeros dst f32 7
//! expect dst f32 1.5707964 1.0471976 2.0943952 0.45102686 0 3.1415927 1.5706964
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 7u { return; }
    dst[i] = acos(src[i]);
}
