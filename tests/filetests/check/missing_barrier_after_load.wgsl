// A tile is read before all invocations have filled it.
//! workgroups 2
//! bind src f32 0..32
//! zeros dst f32 32
//! finds race-in-workgroup FILL USE tile[1]
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;
var<workgroup> tile: array<f32, 16>;

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    tile[l] = src[id.x]; // <FILL>
    //+ workgroupBarrier();
    dst[id.x] = tile[(l + 1u) % 16u]; // <USE>
}
