// Only half of the workgroup reaches the barrier.
//! workgroups 1
//! bind src u32 0..16
//! zeros dst u32 16
//! finds divergent-barrier WAIT BRANCH
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
var<workgroup> tile: array<u32, 16>;

@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) l: u32) {
    if l < 8u { // <BRANCH>
        tile[l] = src[l];
        //- workgroupBarrier(); // <WAIT>
    }
    //+ workgroupBarrier();
    if l < 8u { dst[l] = tile[l]; }
}
