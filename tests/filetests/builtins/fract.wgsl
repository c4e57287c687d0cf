// x - floor(x), never negative.
//! invocations 7
//! bind src f32 0.25 1.75 -0.25 -1.5 4 -3 8388608
//! zeros dst f32 7
//! expect dst f32 0.25 0.75 0.75 0.5 0 0 0
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 7u { return; }
    dst[i] = fract(src[i]);
}
