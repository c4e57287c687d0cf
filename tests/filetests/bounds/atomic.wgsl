// An atomic out of bounds does nothing and gives zero.
//! workgroups 1
//! bind at u32 1 2 4294967295
//! bind a u32 5 5
//! expect a u32 5 8
//! bind dst u32 9 9 9
//! expect dst u32 5 0 0
@group(0) @binding(0) var<storage, read> at: array<u32>;
@group(0) @binding(1) var<storage, read_write> a: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main() {
    for (var k = 0u; k < 3u; k++) {
        dst[k] = atomicAdd(&a[at[k]], 3u);
    }
}
