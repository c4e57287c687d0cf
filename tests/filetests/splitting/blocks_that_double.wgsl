// Blocks that start at multiples of their size, which doubles.
//! workgroups 3
//! split
//! zeros a f32 48
//! expect a f32 0 1 1 2 1 2 2 3 1 2 2 3 1 2 2 3
//! expect a f32 0 1 1 2 1 2 2 3 1 2 2 3 1 2 2 3
//! expect a f32 0 1 1 2 1 2 2 3 1 2 2 3 1 2 2 3
@group(0) @binding(0) var<storage, read_write> a: array<f32>;

@compute @workgroup_size(4)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    for (var s = 2u; s <= 16u; s *= 2u) {
        for (var block = 0u; block < 16u; block += s) {
            if index < s / 2u {
                a[group.x * 16u + block + index + s / 2u] += 1.0;
            }
        }
        storageBarrier();
    }
}
