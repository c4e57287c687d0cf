// A column index that runs over the four rows of a matrix of three columns.
//! workgroups 1
//! zeros dst f32 4
//! finds out-of-bounds COLUMN COLUMN m[3].x
@group(0) @binding(0) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) l: u32) {
    //- var m: mat3x4<f32>;
    //+ var m: mat4x3<f32>;
    m[l][0] = 1.0; // <COLUMN>
    dst[l] = m[0][0];
}
