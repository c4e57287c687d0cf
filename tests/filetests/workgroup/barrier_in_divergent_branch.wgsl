// Invocations outside of a branch count as arrived at the barriers in it.
//! workgroups 1
//! zeros dst u32 8
//! expect dst u32 30 20 10 0 70 60 51 40
//! only cpu: WGSL forbids barriers that not all invocations of a workgroup reach
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> tile: array<u32, 8>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) l: u32) {
    if l < 4u {
        tile[l] = 10u * l;
        workgroupBarrier();
        dst[l] = tile[3u - l];
    } else {
        tile[l] = 10u * l;
        if l % 2u == 1u {
            workgroupBarrier();
            tile[l] += u32(l == 5u);
        }
        workgroupBarrier();
        dst[l] = tile[11u - l];
    }
}
