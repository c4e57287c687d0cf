// Ties go to even, and f16 denormals are kept.
//! invocations 4
//! only cpu: WGSL leaves the rounding open, and lets a GPU flush f16 denormals
//! bind src f32 1.0004883 1.0014648 5.9604645e-08 4.4703484e-08 2049 2051 0.1 -0.3
//! zeros dst u32 4
//! expect dst u32 0x3c023c00 0x00010001 0x68026800 0xb4cd2e66
@group(0) @binding(0) var<storage, read> src: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = pack2x16float(src[id.x]);
}
