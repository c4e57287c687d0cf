// The invocations beyond the end have returned before the others reach the barrier.
//! invocations 10
//! bind src u32 0..10
//! zeros dst u32 10
//! finds divergent-barrier WAIT GONE
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
var<workgroup> tile: array<u32, 8>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    let inside = id.x < arrayLength(&src);
    if !inside {
        //- return; // <GONE>
    }
    if inside { tile[l] = src[id.x]; }
    workgroupBarrier(); // <WAIT>
    if inside { dst[id.x] = tile[l] + 1u; }
}
