// Invocations that returned count as arrived at the barrier of the others. (The branch is uniform in fact, not in
// form: the whole second workgroup returns.)
//! workgroups 3
//! bind dst u32 12*5
//! expect dst u32 6 6 6 6 5 5 5 5 6 6 6 6
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> sum: atomic<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(workgroup_id) group: vec3<u32>) {
    if group.x == 1u { return; }
    atomicAdd(&sum, id.x % 4u);
    workgroupBarrier();
    dst[id.x] = atomicLoad(&sum);
}
