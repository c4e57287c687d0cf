// Signed minimum and maximum, and a sum that wraps.
//! workgroups 1
//! bind a i32 -5 -5 2147483647
//! expect a i32 -7 3 -2147483648
@group(0) @binding(0) var<storage, read_write> a: array<atomic<i32>, 3>;

@compute @workgroup_size(1)
fn main() {
    atomicMin(&a[0], -7);
    atomicMin(&a[0], 3);
    atomicMax(&a[1], -7);
    atomicMax(&a[1], 3);
    atomicAdd(&a[2], 1);
}
