// 2 to the x; whole powers are exact on the CPU.
//! invocations 9
//! ulps 4
//! tolerance 0 3e-5
//! bind src f32 0 1 -1 0.5 10 -20.25 100 -100 1e-05
//! zeros dst f32 9
//! expect dst f32 1 2 0.5 1.4142135 1024 8.019413e-07 1.2676506e+30 7.888609e-31 1.0000069
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 9u { return; }
    dst[i] = exp2(src[i]);
}
