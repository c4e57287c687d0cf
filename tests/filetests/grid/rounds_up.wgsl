// Invocations are rounded up to whole workgroups, and nothing is masked.
//! invocations 5,3
//! zeros dst u32 16
//! expect dst u32 16*1
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4, 2)
fn main(@builtin(local_invocation_index) l: u32, @builtin(workgroup_id) g: vec3<u32>, @builtin(global_invocation_id) id: vec3<u32>) {
    // Two by two workgroups of eight; each sets four of the sixteen.
    if l < 4u { dst[4u * (g.x + 2u * g.y) + l] = 1u; }
}
