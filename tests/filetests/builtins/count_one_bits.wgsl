// Bits that are 1.
//! invocations 7
//! bind src u32 0 1 2147483648 4294967295 16711935 305419896 16
//! zeros dst u32 7
//! expect dst u32 0 1 1 32 16 13 1
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 7u { return; }
    dst[i] = countOneBits(src[i]);
}
