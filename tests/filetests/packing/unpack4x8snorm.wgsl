// v / 127, at least -1.
//! invocations 4
//! ulps 0
//! tolerance 0 1e-6
//! bind src u32 0x00000000 0x7f81807f 0xff000180 0x12345678
//! zeros dst f32 16
//! expect dst f32 0 0 0 0 1 -1 -1 1 -1 0.007874016 0 -0.007874016 0.9448819 0.6771653 0.40944883
//! expect dst f32 0.14173229
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<f32>>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = unpack4x8snorm(src[id.x]);
}
