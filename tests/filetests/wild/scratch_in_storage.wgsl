// A workgroup exchanges rows through its part of a storage buffer, in two rounds.
//! workgroups 3
//! zeros scratch u32 24
//! zeros dst u32 24
//! expect dst u32 14 12 10 8 6 4 2 0 114 112 110 108 106 104 102 100 214 212 210 208 206 204 202 200
@group(0) @binding(0) var<storage, read_write> scratch: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    let base = group.x * 8u;
    scratch[base + l] = l;
    storageBarrier();
    let other = scratch[base + 7u - l];
    storageBarrier();
    scratch[base + 7u - l] = other * 2u;
    storageBarrier();
    dst[base + l] = scratch[base + 7u - l] + group.x * 100u;
}
