// abs(MIN) is MIN.
//! invocations 6
//! bind src i32 0 1 -1 -2147483648 2147483647 -65536
//! zeros dst i32 6
//! expect dst i32 0 1 1 -2147483648 2147483647 65536
@group(0) @binding(0) var<storage, read> src: array<i32>;
@group(0) @binding(1) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 6u { return; }
    dst[i] = abs(src[i]);
}
