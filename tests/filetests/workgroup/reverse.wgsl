// Neighbours exchange through workgroup memory.
//! workgroups 3
//! split
//! bind src u32 0..12
//! zeros dst u32 12
//! expect dst u32 3 2 1 0 7 6 5 4 11 10 9 8
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
var<workgroup> tile: array<u32, 4>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    tile[l] = src[id.x];
    workgroupBarrier();
    dst[id.x] = tile[3u - l];
}
