// The right shift of a u32 brings in zeros; the count is taken modulo 32.
//! invocations 8
//! bind a u32 1 4294967295 2147483648 305419896 4294967040 1 1 4294967295
//! bind count u32 0 1 31 4 8 32 33 63
//! zeros dst u32 8
//! expect dst u32 1 2147483647 1 19088743 16777215 1 0 1
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> count: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = a[i] >> count[i];
}
