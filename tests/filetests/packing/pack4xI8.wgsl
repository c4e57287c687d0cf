// The low byte of each component.
//! invocations 4
//! bind src i32 1 -1 127 -128 300 -300 255 256 0 1 2 3 -2147483648 2147483647 128 -129
//! zeros dst u32 4
//! expect dst u32 0x807fff01 0x00ffd42c 0x03020100 0x7f80ff00
@group(0) @binding(0) var<storage, read> src: array<vec4<i32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = pack4xI8(src[id.x]);
}
