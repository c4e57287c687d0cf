// Every invocation of every workgroup adds into one word, and takes a unique ticket.
//! workgroups 8
//! zeros total u32 2
//! expect total u32 32640 256
//! zeros seen u32 256
//! expect seen u32 256*1
@group(0) @binding(0) var<storage, read_write> total: array<atomic<u32>, 2>;
@group(0) @binding(1) var<storage, read_write> seen: array<atomic<u32>, 256>;

@compute @workgroup_size(32)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    atomicAdd(&total[0], id.x);
    let ticket = atomicAdd(&total[1], 1u);
    atomicAdd(&seen[ticket], 1u);
}
