// A counter that no invocation sets to zero.
//! lint
//! workgroups 2
//! zeros dst u32 2
//! finds unwritten-read COUNT COUNT counter
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> counter: atomic<u32>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    //+ if l == 0u { atomicStore(&counter, 0u); }
    //+ workgroupBarrier();
    atomicAdd(&counter, 1u); // <COUNT>
    workgroupBarrier();
    if l == 0u { dst[group.x] = atomicLoad(&counter); }
}
