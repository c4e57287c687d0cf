// e to the x.
//! invocations 9
//! ulps 4
//! tolerance 0 4e-5
//! bind src f32 0 1 -1 0.5 10 -10 80 -80 1e-05
//! zeros dst f32 9
//! expect dst f32 1 2.7182817 0.36787945 1.6487212 22026.465 4.539993e-05 5.5406225e+34
//! expect dst f32 1.8048513e-35 1.00001
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 9u { return; }
    dst[i] = exp(src[i]);
}
