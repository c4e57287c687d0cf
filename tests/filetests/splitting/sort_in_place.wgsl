// A sorting network in each workgroup's own 16 elements of storage: partners are found by exclusive or with
// distances that halve within blocks that double.
//! workgroups 6
//! split
//! bind a u32 79 32 94 45 88 94 83 67 3 59 99 31 83 6 20 14
//! bind a u32 47 60 31 48 69 13 73 31 1 93 27 52 35 23 98 49
//! bind a u32 20 97 9 17 79 79 56 16 16 0 0 26 99 27 21 21
//! bind a u32 37 40 25 69 86 80 26 23 88 25 49 38 2 46 53 21
//! bind a u32 18 33 8 42 38 77 75 0 76 86 90 43 8 39 45 39
//! bind a u32 61 89 40 23 61 60 90 22 7 32 2 95 45 51 2 70
//! expect a u32 3 6 14 20 31 32 45 59 67 79 83 83 88 94 94 99
//! expect a u32 1 13 23 27 31 31 35 47 48 49 52 60 69 73 93 98
//! expect a u32 0 0 9 16 16 17 20 21 21 26 27 56 79 79 97 99
//! expect a u32 2 21 23 25 25 26 37 38 40 46 49 53 69 80 86 88
//! expect a u32 0 8 8 18 33 38 39 39 42 43 45 75 76 77 86 90
//! expect a u32 2 2 7 22 23 32 40 45 51 60 61 61 70 89 90 95
@group(0) @binding(0) var<storage, read_write> a: array<u32>;

@compute @workgroup_size(4)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    for (var k = 2u; k <= 16u; k <<= 1u) {
        for (var j = k >> 1u; j > 0u; j >>= 1u) {
            for (var t = index; t < 16u; t += 4u) {
                let i = group.x * 16u + t;
                let other = i ^ j;
                if other > i && (a[i] > a[other]) == ((t & k) == 0u) {
                    let x = a[i];
                    a[i] = a[other];
                    a[other] = x;
                }
            }
            storageBarrier();
        }
    }
}
