// Each invocation writes its own cell and the next one's.
//! workgroups 2
//! zeros dst u32 17
//! finds race-in-workgroup OWN NEXT
//! finds race-across-workgroups NEXT OWN dst[8]
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = id.x; // <OWN>
    //- dst[id.x + 1u] = id.x; // <NEXT>
}
