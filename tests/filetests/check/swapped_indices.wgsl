// A transposition in place, where the invocations of both triangles swap each pair.
//! workgroups 2,2
//! bind m f32 0..64
//! finds race-in-workgroup SWAP BACK
//! finds race-in-workgroup READ SWAP
//! finds race-in-workgroup READ BACK
//! finds race-across-workgroups SWAP BACK
//! finds race-across-workgroups READ SWAP
//! finds race-across-workgroups READ BACK
@group(0) @binding(0) var<storage, read_write> m: array<f32>;

@compute @workgroup_size(4, 4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let here = id.y * 8u + id.x;
    let there = id.x * 8u + id.y;
    //- if id.x != id.y {
    //+ if id.x < id.y {
        let a = m[here]; let b = m[there]; // <READ>
        m[here] = b; // <SWAP>
        m[there] = a; // <BACK>
    }
}
