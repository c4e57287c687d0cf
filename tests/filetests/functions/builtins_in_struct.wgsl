// Built-in values as members of a struct parameter, next to a plain one.
//! workgroups 2,1,1
//! zeros dst u32 4
//! expect dst u32 20 121 230 331
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
struct In {
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
}

@compute @workgroup_size(2)
fn main(in: In, @builtin(local_invocation_index) l: u32) {
    dst[in.id.x] = 100u * in.id.x + 10u * (in.groups.x + in.group.x) + l;
}
