// Clamped to [0, 1], times 65535, rounded; x in the low half.
//! invocations 4
//! bind src f32 0 1 -1 0.31 2 -2 0.12345 -0.98765
//! zeros dst u32 4
//! expect dst u32 0xffff0000 0x4f5c0000 0x0000ffff 0x00001f9a
@group(0) @binding(0) var<storage, read> src: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = pack2x16unorm(src[id.x]);
}
