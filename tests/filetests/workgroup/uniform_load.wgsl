// workgroupUniformLoad is a barrier and gives all invocations the same value, here a loop's length.
//! workgroups 3
//! bind lengths u32 2 0 3
//! zeros dst u32 12
//! expect dst u32 2 4 6 8 0 0 0 0 3 6 9 12
@group(0) @binding(0) var<storage, read> lengths: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
var<workgroup> length: u32;

@compute @workgroup_size(4)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) l: u32,
) {
    if l == 2u { length = lengths[group.x]; }
    let turns = workgroupUniformLoad(&length);
    var total = 0u;
    for (var k = 0u; k < turns; k++) {
        total += l + 1u;
        workgroupBarrier();
    }
    dst[id.x] = total;
}
