// The low byte of each component.
//! invocations 4
//! bind src u32 1 4294967295 127 4294967168 300 4294966996 255 256 0 1 2 3 2147483648 2147483647
//! bind src u32 128 4294967167
//! zeros dst u32 4
//! expect dst u32 0x807fff01 0x00ffd42c 0x03020100 0x7f80ff00
@group(0) @binding(0) var<storage, read> src: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = pack4xU8(src[id.x]);
}
