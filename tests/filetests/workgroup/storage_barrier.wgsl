// After a storageBarrier an invocation sees what others of its workgroup wrote to a buffer.
//! workgroups 2
//! zeros dst u32 8
//! expect dst u32 10 11 12 10 14 15 16 14
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    dst[id.x] = id.x + 10u;
    storageBarrier();
    let first = dst[id.x - l];
    storageBarrier();
    if l == 3u { dst[id.x] = first; }
}
