// v / 32767, at least -1.
//! invocations 4
//! ulps 0
//! tolerance 0 1e-6
//! bind src u32 0x00000000 0x7fff8001 0x8000ffff 0x12345678
//! zeros dst f32 8
//! expect dst f32 0 0 -1 1 -3.051851e-05 -1 0.67555773 0.14221625
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec2<f32>>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = unpack2x16snorm(src[id.x]);
}
