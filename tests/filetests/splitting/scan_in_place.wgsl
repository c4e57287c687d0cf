// A scan up and down a tree, in each workgroup's own 16 elements of storage.
//! workgroups 6
//! split
//! bind a u32 6 5 6 9 0 7 0 2 9 3 1 3 7 5 8 5
//! bind a u32 8 4 7 1 9 5 4 0 6 1 3 5 8 9 5 2
//! bind a u32 5 4 8 1 4 5 4 2 1 2 4 7 2 0 1 9
//! bind a u32 8 6 0 3 9 5 4 7 6 2 0 0 7 5 3 2
//! bind a u32 9 2 6 1 2 6 5 2 0 6 4 2 7 9 2 8
//! bind a u32 7 7 5 7 4 4 7 6 2 1 6 8 2 7 5 2
//! expect a u32 0 6 11 17 26 26 33 33 35 44 47 48 51 58 63 71
//! expect a u32 0 8 12 19 20 29 34 38 38 44 45 48 53 61 70 75
//! expect a u32 0 5 9 17 18 22 27 31 33 34 36 40 47 49 49 50
//! expect a u32 0 8 14 14 17 26 31 35 42 48 50 50 50 57 62 65
//! expect a u32 0 9 11 17 18 20 26 31 33 33 39 43 45 52 61 63
//! expect a u32 0 7 14 19 26 30 34 41 47 49 50 56 64 66 73 78
@group(0) @binding(0) var<storage, read_write> a: array<u32>;

@compute @workgroup_size(4)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let base = group.x * 16u;
    var offset = 1u;
    for (var d = 8u; d > 0u; d >>= 1u) {
        for (var i = index; i < d; i += 4u) {
            let low = base + offset * (2u * i + 1u) - 1u;
            a[base + offset * (2u * i + 2u) - 1u] += a[low];
        }
        offset *= 2u;
        storageBarrier();
    }
    if index == 0u {
        a[base + 15u] = 0u;
    }
    for (var d = 1u; d < 16u; d *= 2u) {
        offset >>= 1u;
        storageBarrier();
        for (var i = index; i < d; i += 4u) {
            let low = base + offset * (2u * i + 1u) - 1u;
            let high = base + offset * (2u * i + 2u) - 1u;
            let x = a[low];
            a[low] = a[high];
            a[high] += x;
        }
    }
}
