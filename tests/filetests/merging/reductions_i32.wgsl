// Signed sums wrap; signed extremes are not unsigned ones.
//! invocations 6
//! split
//! bind data i32 -3 2147483647 5 -2147483648 0 7
//! bind sum i32 2147483647
//! expect sum i32 -2147483641
//! bind least i32 4
//! expect least i32 -2147483648
//! bind most i32 -9
//! expect most i32 2147483647
@group(0) @binding(0) var<storage, read> data: array<i32>;
@group(0) @binding(1) var<storage, read_write> sum: atomic<i32>;
@group(0) @binding(2) var<storage, read_write> least: atomic<i32>;
@group(0) @binding(3) var<storage, read_write> most: atomic<i32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    atomicAdd(&sum, data[id.x]);
    atomicMin(&least, data[id.x]);
    atomicMax(&most, data[id.x]);
}
