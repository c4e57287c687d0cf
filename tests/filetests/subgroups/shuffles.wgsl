// Shuffles among the four lanes of each quad, whatever the subgroup's size.
//! workgroups 1
//! zeros dst u32 32
//! expect dst u32 1 0 3 2 5 4 7 6 2 3 0 1 6 7 4 5 3 2 1 0 7 6 5 4 0 0 0 0 4 4 4 4
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) l: u32) {
    dst[l] = subgroupShuffleXor(l, 1u);
    dst[8u + l] = subgroupShuffleXor(l, 2u);
    dst[16u + l] = quadSwapDiagonal(l);
    dst[24u + l] = quadBroadcast(l, 0u);
}
