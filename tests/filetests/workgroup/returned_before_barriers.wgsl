// Invocations that returned count as arrived at every barrier that the others still reach.
//! workgroups 2
//! zeros dst u32 16
//! expect dst u32 12 24 28 32 36 18 0 0 12 24 28 32 36 18 0 0
//! only cpu: WGSL forbids barriers that not all invocations of a workgroup reach
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> tile: array<u32, 8>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    if l >= 6u { return; }
    var sum = 0u;
    for (var k = 0u; k < 2u; k++) {
        tile[l] = 10u * k + l;
        workgroupBarrier();
        // The first invocation has no left neighbour; the right neighbour of the last is zero.
        if l > 0u { sum += tile[l - 1u]; }
        sum += tile[l + 1u];
        workgroupBarrier();
    }
    dst[id.x] = sum;
}
