// The same bits.
//! invocations 4
//! bind src i32 0 -1 -2147483648 2147483647
//! zeros dst u32 8
//! expect dst u32 0 4294967295 2147483648 2147483647 0 4294967295 2147483648 2147483647
@group(0) @binding(0) var<storage, read> src: array<i32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = u32(src[i]);
    dst[i + 4u] = bitcast<u32>(i32(bitcast<u32>(src[i])));
}
