// Invocations that have left a loop count as arrived at the barriers in it.
//! workgroups 1
//! zeros dst u32 6
//! expect dst u32 0 4 11 0 1 5
//! only cpu: WGSL forbids barriers that not all invocations of a workgroup reach
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> tile: array<u32, 6>;

@compute @workgroup_size(6)
fn main(@builtin(local_invocation_index) l: u32) {
    // The partner makes as many iterations.
    let partner = (l + 3u) % 6u;
    for (var k = 0u; k < l % 3u; k++) {
        tile[l] = l + k;
        workgroupBarrier();
        dst[l] += tile[partner];
        workgroupBarrier();
    }
}
