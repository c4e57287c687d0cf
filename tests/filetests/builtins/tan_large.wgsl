// Full range reduction on the CPU, up to the largest float.
//! invocations 8
//! ulps 4
//! only cpu: WGSL gives no accuracy for tan outside [-π, π]
//! bind src f32 100 -1000 100000 10000000000 1e+20 -3e+38 355 1.5707964
//! zeros dst f32 8
//! expect dst f32 -0.58721393 -1.4703242 -0.035771664 -0.5583496 0.870492 1.8065544 3.0144354e-05
//! expect dst f32 -22877332
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = tan(src[i]);
}
