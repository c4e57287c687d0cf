// storageBarrier orders storage only.
//! workgroups 1
//! zeros dst u32 8
//! finds race-in-workgroup WRITE READ tile[1]
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> tile: array<u32, 8>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) l: u32) {
    tile[l] = l; // <WRITE>
    //- storageBarrier();
    //+ workgroupBarrier();
    dst[l] = tile[(l + 1u) % 8u]; // <READ>
}
