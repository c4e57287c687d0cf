// The natural logarithm.
//! invocations 8
//! ulps 4
//! tolerance 1e-6 1e-6
//! bind src f32 1 2 0.5 10 1e-10 1e+30 0.999 1.001
//! zeros dst f32 8
//! expect dst f32 0 0.6931472 -0.6931472 2.3025851 -23.02585 69.07755 -0.0010004875 0.000999547
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = log(src[i]);
}
