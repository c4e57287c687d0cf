// -1, 0 or 1.
//! invocations 5
//! bind src f32 0 2.5 -2.5 1e-30 -3e+38
//! zeros dst f32 5
//! expect dst f32 0 1 -1 1 -1
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 5u { return; }
    dst[i] = sign(src[i]);
}
