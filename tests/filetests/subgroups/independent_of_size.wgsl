// Facts that hold for every subgroup size: sums of ones over the subgroups of a workgroup add up, a
// broadcast gives the value of the first lane, all and any see the whole subgroup.
//! workgroups 2
//! zeros dst u32 8
//! expect dst u32 64 1 1 1 64 1 1 1
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> total: atomic<u32>;
var<workgroup> wrong: atomic<u32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) l: u32,
    @builtin(subgroup_size) size: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let present = subgroupAdd(1u);
    let before = subgroupExclusiveAdd(1u);
    if before == 0u { atomicAdd(&total, present); }
    if present > size || lane >= size { atomicAdd(&wrong, 1u); }
    if subgroupBroadcastFirst(lane) != subgroupMin(lane) { atomicAdd(&wrong, 1u); }
    if subgroupInclusiveAdd(1u) != before + 1u { atomicAdd(&wrong, 1u); }
    let every = subgroupAll(l < 64u);
    let none = subgroupAny(l >= 64u);
    workgroupBarrier();
    if l == 0u {
        dst[4u * group.x] = atomicLoad(&total);
        dst[4u * group.x + 1u] = u32(atomicLoad(&wrong) == 0u);
        dst[4u * group.x + 2u] = u32(every);
        dst[4u * group.x + 3u] = u32(!none);
    }
}
