// Radians to degrees.
//! invocations 5
//! ulps 2
//! tolerance 1e-5 1e-6
//! bind src f32 0 3.1415927 -1.5707964 1 100
//! zeros dst f32 5
//! expect dst f32 0 180 -90 57.29578 5729.578
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 5u { return; }
    dst[i] = degrees(src[i]);
}
