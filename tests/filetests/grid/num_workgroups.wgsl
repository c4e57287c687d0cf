// num_workgroups and the ids are those of the whole launch in every chunk.
//! workgroups 5,2,3
//! zeros dst u32 30
//! expect dst u32 30*523
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(num_workgroups) n: vec3<u32>) {
    dst[id.x + n.x * (id.y + n.y * id.z)] = 100u * n.x + 10u * n.y + n.z;
}
