// min, then max, of signed numbers.
//! invocations 6
//! bind a i32 0 5 -5 -2147483648 2147483647 3
//! bind b i32 1 3 -3 2147483647 -2147483648 3
//! zeros dst i32 12
//! expect dst i32 0 3 -5 -2147483648 -2147483648 3 1 5 -3 2147483647 2147483647 3
@group(0) @binding(0) var<storage, read> a: array<i32>;
@group(0) @binding(1) var<storage, read> b: array<i32>;
@group(0) @binding(2) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 6u { return; }
    dst[i] = min(a[i], b[i]);
    dst[i + 6u] = max(a[i], b[i]);
}
