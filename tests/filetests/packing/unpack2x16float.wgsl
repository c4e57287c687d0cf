// Two halves, widened exactly.
//! invocations 4
//! bind src u32 0x3c00c000 0x7bff0400 0x00003555 0x12345678
//! zeros dst f32 8
//! expect dst f32 -2 1 6.1035156e-05 65504 0.33325195 0 103.5 0.0007572174
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec2<f32>>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = unpack2x16float(src[id.x]);
}
