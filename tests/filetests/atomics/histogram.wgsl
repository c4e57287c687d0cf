// A histogram over four bins; the atomics are members of a struct beside plain ones.
//! workgroups 4
//! zeros bins u32 8
//! expect bins u32 16 16 16 16 64 0 7 0
struct Bins { counts: array<atomic<u32>, 4>, @size(8) total: atomic<u32>, plain: u32 }
@group(0) @binding(0) var<storage, read_write> bins: Bins;

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    atomicAdd(&bins.counts[id.x % 4u], 1u);
    atomicAdd(&bins.total, 1u);
    if id.x == 0u { bins.plain = 7u; }
}
