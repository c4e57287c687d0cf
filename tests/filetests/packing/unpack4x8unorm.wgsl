// v / 255.
//! invocations 4
//! ulps 0
//! tolerance 0 1e-6
//! bind src u32 0x00000000 0x7f81807f 0xff000180 0x12345678
//! zeros dst f32 16
//! expect dst f32 0 0 0 0 0.49803922 0.5019608 0.5058824 0.49803922 0.5019608 0.003921569 0 1
//! expect dst f32 0.47058824 0.3372549 0.20392157 0.07058824
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<f32>>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = unpack4x8unorm(src[id.x]);
}
