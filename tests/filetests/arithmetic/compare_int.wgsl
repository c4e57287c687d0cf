// The same bits compare differently as i32 and as u32.
//! invocations 5
//! bind a i32 0 -1 -2147483648 2147483647 5
//! bind b i32 0 1 2147483647 -2147483648 5
//! zeros dst u32 5
//! expect dst u32 6682 11299 11299 9004 6682
@group(0) @binding(0) var<storage, read> a: array<i32>;
@group(0) @binding(1) var<storage, read> b: array<i32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 5u { return; }
    let x = bitcast<u32>(a[i]);
    let y = bitcast<u32>(b[i]);
    var bits = u32(a[i] < b[i]) | u32(a[i] <= b[i]) << 1u | u32(a[i] > b[i]) << 2u;
    bits |= u32(a[i] >= b[i]) << 3u | u32(a[i] == b[i]) << 4u | u32(a[i] != b[i]) << 5u;
    bits |= u32(x < y) << 8u | u32(x <= y) << 9u | u32(x > y) << 10u;
    bits |= u32(x >= y) << 11u | u32(x == y) << 12u | u32(x != y) << 13u;
    dst[i] = bits;
}
