// Clamped to [-1, 1], times 127, rounded; x in the lowest byte.
//! invocations 4
//! bind src f32 0 1 -1 0.501 2 -2 1e+30 -1e+30 0.1 -0.1 0.26 0.77 0 0 0 -0.75
//! zeros dst u32 4
//! expect dst u32 0x40817f00 0x817f817f 0x6221f30d 0xa1000000
@group(0) @binding(0) var<storage, read> src: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = pack4x8snorm(src[id.x]);
}
