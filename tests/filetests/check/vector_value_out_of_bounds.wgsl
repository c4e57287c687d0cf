// A component out of bounds of a vector value, which is in no memory.
//! workgroups 1
//! zeros dst f32 4
//! finds out-of-bounds PICK PICK
@group(0) @binding(0) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) l: u32) {
    let v = vec3<f32>(1.0, 2.0, f32(l));
    //- dst[l] = v[l]; // <PICK>
    //+ dst[l] = v[l % 3u];
}
