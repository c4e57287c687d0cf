// The highest bit that differs from the sign; -1 for 0 and -1.
//! invocations 8
//! bind src i32 0 -1 1 -2 -2147483648 2147483647 -256 1000
//! zeros dst i32 8
//! expect dst i32 -1 -1 0 0 30 30 7 9
@group(0) @binding(0) var<storage, read> src: array<i32>;
@group(0) @binding(1) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = firstLeadingBit(src[i]);
}
