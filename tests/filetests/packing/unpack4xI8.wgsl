// Sign-extended bytes.
//! invocations 4
//! bind src u32 0x00000000 0x7f81807f 0xff000180 0x12345678
//! zeros dst i32 16
//! expect dst i32 0 0 0 0 127 -128 -127 127 -128 1 0 -1 120 86 52 18
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<i32>>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = unpack4xI8(src[id.x]);
}
