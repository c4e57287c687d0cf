// i32 division truncates; x / 0 is x; MIN / -1 is MIN.
//! invocations 12
//! bind a i32 7 -7 7 -7 -2147483648 -2147483648 5 -5 0 -2147483648 2147483647 1
//! bind b i32 2 2 -2 -2 -1 1 0 0 0 0 -1 -2147483648
//! zeros dst i32 12
//! expect dst i32 3 -3 -3 3 -2147483648 -2147483648 5 -5 0 -2147483648 -2147483647 0
@group(0) @binding(0) var<storage, read> a: array<i32>;
@group(0) @binding(1) var<storage, read> b: array<i32>;
@group(0) @binding(2) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 12u { return; }
    dst[i] = a[i] / b[i];
}
