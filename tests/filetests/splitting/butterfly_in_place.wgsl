// The stages of a Walsh-Hadamard transform in each workgroup's own 16 elements: pairs by shifts and masks.
//! workgroups 6
//! split
//! bind a i32 -4 2 -1 3 7 3 8 3 0 -4 7 7 7 0 6 4
//! bind a i32 5 -5 7 -1 0 3 6 5 -1 8 2 -1 7 6 6 -1
//! bind a i32 0 5 -3 4 8 -5 2 3 7 -1 0 5 -1 2 -1 8
//! bind a i32 3 5 5 7 0 0 -1 5 0 6 8 1 0 8 -3 8
//! bind a i32 8 6 2 0 0 3 -3 3 -3 -2 8 0 8 2 -1 6
//! bind a i32 -4 6 5 6 1 -3 4 7 4 3 5 1 -1 4 3 7
//! expect a i32 48 12 -26 6 -28 -24 -18 -2 -6 -14 16 -12 -14 -14 12 0
//! expect a i32 46 18 0 -20 -18 6 0 0 -6 14 -28 16 2 34 4 12
//! expect a i32 33 -9 -3 35 1 -9 13 -5 -5 9 7 -3 -5 -39 -1 -19
//! expect a i32 52 -28 -8 -4 18 22 -6 -22 -4 8 -8 16 14 -18 6 10
//! expect a i32 37 1 7 7 1 21 -9 -25 1 -11 23 -1 25 5 27 19
//! expect a i32 48 -14 -28 -6 4 2 12 -18 -4 -6 -16 2 4 -26 -4 -14
@group(0) @binding(0) var<storage, read_write> a: array<i32>;

@compute @workgroup_size(4)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    for (var s = 0u; s < 4u; s++) {
        for (var i = index; i < 8u; i += 4u) {
            let first = group.x * 16u + (((i >> s) << (s + 1u)) | (i & ((1u << s) - 1u)));
            let second = first | (1u << s);
            let x = a[first];
            let y = a[second];
            a[first] = x + y;
            a[second] = x - y;
        }
        storageBarrier();
    }
}
