// The components of a vector are counted from zero.
//! workgroups 1
//! bind src f32 0..16
//! zeros dst f32 4
//! finds out-of-bounds PICK PICK src[3][4]
@group(0) @binding(0) var<storage, read> src: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) l: u32) {
    //- dst[l] = src[l][l + 1u]; // <PICK>
    //+ dst[l] = src[l][l];
}
