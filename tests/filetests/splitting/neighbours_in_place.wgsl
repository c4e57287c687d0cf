// A kernel in place that reads neighbours which others write: it can't be cut. Within one workgroup a barrier
// makes it race-free.
//! workgroups 1
//! whole
//! bind a u32 1 2 3 4
//! expect a u32 2 4 6 3
@group(0) @binding(0) var<storage, read_write> a: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) l: u32) {
    let left = a[l - 1u];
    let right = a[l + 1u];
    storageBarrier();
    a[l] = left + right;
}
