// Atomics in workgroup memory, zero at first, combined over the workgroup.
//! workgroups 3
//! split
//! zeros dst u32 9
//! expect dst u32 28 127 7 28 127 7 28 127 7
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> sum: atomic<u32>;
var<workgroup> more: array<atomic<u32>, 2>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    atomicAdd(&sum, l);
    atomicOr(&more[0], (1u << l) & 127u);
    atomicMax(&more[1], l);
    workgroupBarrier();
    if l == 0u {
        dst[3u * group.x] = atomicLoad(&sum);
        dst[3u * group.x + 1u] = atomicLoad(&more[0]);
        dst[3u * group.x + 2u] = atomicLoad(&more[1]);
    }
}
