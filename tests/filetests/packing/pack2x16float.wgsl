// Two halves; the values are exact in f16.
//! invocations 4
//! bind src f32 1 -2 0.5 65504 0 6.1035156e-05 1.0009766 -1024
//! zeros dst u32 4
//! expect dst u32 0xc0003c00 0x7bff3800 0x04000000 0xe4003c01
@group(0) @binding(0) var<storage, read> src: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = pack2x16float(src[id.x]);
}
