// Only half of each subgroup reaches a subgroup operation.
//! workgroups 1
//! bind src u32 0..64
//! zeros dst u32 64
//! finds divergent-subgroup SUM BRANCH
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) l: u32, @builtin(subgroup_size) size: u32) {
    //+ let sum = subgroupAdd(select(0u, src[l], l % 2u == 0u)) + size - size;
    if l % 2u == 0u { // <BRANCH>
        //- let sum = subgroupAdd(src[l]) + size - size; // <SUM>
        dst[l] = sum;
    }
}
