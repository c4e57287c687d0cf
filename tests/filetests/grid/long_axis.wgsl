// More workgroups on one axis than a GPU takes in one dispatch (65,535).
//! workgroups 70001
//! zeros dst u32 4
//! expect dst u32 1 65535 70000 70001
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
    if id.x == 1u { dst[0] = id.x; }
    if id.x == 65535u { dst[1] = id.x; }
    if id.x == 70000u {
        dst[2] = id.x;
        dst[3] = n.x;
    }
}
