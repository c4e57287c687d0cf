// The right shift of an i32 keeps the sign; the count is taken modulo 32.
//! invocations 8
//! bind a i32 1 -1 -2147483648 305419896 -256 1 1 -1
//! bind count u32 0 1 31 4 8 32 33 63
//! zeros dst i32 8
//! expect dst i32 1 -1 -1 19088743 -1 1 0 -1
@group(0) @binding(0) var<storage, read> a: array<i32>;
@group(0) @binding(1) var<storage, read> count: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = a[i] >> count[i];
}
