// The tree reduction without the barrier between its steps.
//! workgroups 2
//! bind src u32 0..64
//! zeros dst u32 2
//! finds race-in-workgroup STEP STEP
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
var<workgroup> part: array<u32, 32>;

@compute @workgroup_size(32)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) l: u32,
) {
    part[l] = src[id.x];
    workgroupBarrier();
    for (var half = 16u; half > 0u; half /= 2u) {
        if l < half {
            part[l] += part[l + half]; // <STEP>
        }
        //+ workgroupBarrier();
    }
    if l == 0u { dst[group.x] = part[0]; }
}
