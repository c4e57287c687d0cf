// Barriers in the cases of a switch at which the invocations of a workgroup diverge, and after a break
// from its middle.
//! workgroups 1
//! zeros dst u32 8
//! expect dst u32 14 105 5 105 10 101 1 101
//! only cpu: WGSL forbids barriers that not all invocations of a workgroup reach
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> tile: array<u32, 8>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) l: u32) {
    tile[l] = l;
    switch l % 4u {
        case 0u: {
            tile[l] += 10u;
            workgroupBarrier();
            dst[l] = tile[l ^ 4u];
        }
        case 2u: {
            workgroupBarrier();
            dst[l] = 1u;
            if l == 6u { break; }
            workgroupBarrier();
            dst[l] += 4u;
        }
        default: {
            workgroupBarrier();
            dst[l] = 100u + (tile[(l + 4u) % 8u] & 5u);
        }
    }
}
