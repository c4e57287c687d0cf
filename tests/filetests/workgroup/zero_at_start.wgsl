// Workgroup memory is zero for each workgroup, whatever an earlier workgroup wrote there.
//! workgroups 16
//! zeros dst u32 16
//! expect dst u32 16*0
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
struct Shared { a: array<vec3<u32>, 4>, b: u32 }
var<workgroup> s: Shared;

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    let found = s.a[l].x + s.a[l].z + s.b;
    workgroupBarrier();
    s.a[l] = vec3(7u + group.x);
    if l == 0u { s.b = 9u; }
    workgroupBarrier();
    if l == 3u { dst[group.x] = found * s.b; }
}
