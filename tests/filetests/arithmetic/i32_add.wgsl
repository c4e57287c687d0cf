// i32 addition wraps.
//! invocations 8
//! bind a i32 2147483647 -2147483648 -2147483648 -1 65536 123456789 -7 0
//! bind b i32 1 -1 -2147483648 2147483647 65536 987654321 3 -2147483648
//! zeros dst i32 8
//! expect dst i32 -2147483648 2147483647 0 2147483646 131072 1111111110 -4 -2147483648
@group(0) @binding(0) var<storage, read> a: array<i32>;
@group(0) @binding(1) var<storage, read> b: array<i32>;
@group(0) @binding(2) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = a[i] + b[i];
}
