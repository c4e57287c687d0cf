// -1, 0 or 1.
//! invocations 5
//! bind src i32 0 7 -7 -2147483648 2147483647
//! zeros dst i32 5
//! expect dst i32 0 1 -1 -1 1
@group(0) @binding(0) var<storage, read> src: array<i32>;
@group(0) @binding(1) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 5u { return; }
    dst[i] = sign(src[i]);
}
