// f16 denormals, infinities and NaN.
//! invocations 3
//! only cpu: WGSL lets a GPU flush f16 denormals and assume that there is no NaN
//! bind src u32 0x00018001 0x7c00fc00 0x7e0003ff
//! zeros dst f32 6
//! expect dst f32 -5.9604645e-08 5.9604645e-08 -inf inf 6.097555e-05 nan
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec2<f32>>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = unpack2x16float(src[id.x]);
}
