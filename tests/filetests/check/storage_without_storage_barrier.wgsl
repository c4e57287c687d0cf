// workgroupBarrier orders workgroup memory only.
//! workgroups 2
//! zeros scratch u32 16
//! zeros dst u32 16
//! finds race-in-workgroup WRITE READ scratch[1]
@group(0) @binding(0) var<storage, read_write> scratch: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    scratch[id.x] = l; // <WRITE>
    //- workgroupBarrier();
    //+ storageBarrier();
    dst[id.x] = scratch[id.x - l + (l + 1u) % 8u]; // <READ>
}
