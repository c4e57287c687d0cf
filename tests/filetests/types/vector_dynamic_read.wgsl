// A component by dynamic index, of a value, of a local and of a buffer.
//! invocations 4
//! bind src u32 10 20 30 40
//! zeros dst u32 12
//! expect dst u32 40 30 20 10 11 21 31 41 10 20 30 40
@group(0) @binding(0) var<storage, read> src: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    let value = src.wzyx;
    var local = src + 1u;
    dst[i] = value[i];
    dst[4u + i] = local[i];
    dst[8u + i] = src[i];
}
