// Clamped to [-1, 1], times 32767, rounded; x in the low half.
//! invocations 4
//! bind src f32 0 1 -1 0.31 2 -2 0.12345 -0.98765
//! zeros dst u32 4
//! expect dst u32 0x7fff0000 0x27ae8001 0x80017fff 0x81960fcd
@group(0) @binding(0) var<storage, read> src: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = pack2x16snorm(src[id.x]);
}
