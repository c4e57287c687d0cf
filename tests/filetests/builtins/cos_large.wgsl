// Full range reduction on the CPU, up to the largest float.
//! invocations 8
//! ulps 4
//! only cpu: WGSL gives no accuracy for cos outside [-π, π]
//! bind src f32 100 -1000 100000 10000000000 1e+20 -3e+38 710 11
//! zeros dst f32 8
//! expect dst f32 0.8623189 0.56237906 -0.9993608 0.87311965 0.7542593 -0.48429477 1 0.004425698
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = cos(src[i]);
}
