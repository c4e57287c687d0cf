// v / 65535.
//! invocations 4
//! ulps 0
//! tolerance 0 1e-6
//! bind src u32 0x00000000 0x7fff8001 0x8000ffff 0x12345678
//! zeros dst f32 8
//! expect dst f32 0 0 0.5000229 0.49999237 1 0.5000076 0.3377737 0.071107045
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec2<f32>>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = unpack2x16unorm(src[id.x]);
}
