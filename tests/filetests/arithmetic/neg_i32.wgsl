// Negation wraps.
//! invocations 4
//! bind a i32 0 1 -1 -2147483648
//! zeros dst i32 4
//! expect dst i32 0 -1 1 -2147483648
@group(0) @binding(0) var<storage, read> a: array<i32>;
@group(0) @binding(1) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = -a[i];
}
