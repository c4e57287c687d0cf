// To 0…1.
//! invocations 7
//! bind src f32 -1 0 0.25 1 1.5 1e+30 -1e+30
//! zeros dst f32 7
//! expect dst f32 0 0 0.25 1 1 1 0
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 7u { return; }
    dst[i] = saturate(src[i]);
}
