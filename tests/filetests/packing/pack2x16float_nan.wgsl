// A NaN keeps the upper bits of its payload, and is quiet.
//! invocations 4
//! only cpu: WGSL leaves the bits of NaN open
//! bind src u32 0x7fd63116 0xff876918 0x7f800001 0x7ff2e341
//! zeros dst u32 4
//! expect dst u32 0x3c007eb1 0x3c00fe3b 0x3c007e00 0x3c007f97
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = pack2x16float(vec2(bitcast<f32>(src[id.x]), 1.0));
}
