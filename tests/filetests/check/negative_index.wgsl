// A read of the left neighbour of the first cell, which does not exist.
//! workgroups 1
//! bind src f32 0..8
//! zeros dst f32 8
//! finds out-of-bounds LEFT LEFT src[-1]
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) l: u32) {
    let i = i32(l);
    //- dst[i] = src[i - 1]; // <LEFT>
    //+ dst[i] = src[max(i - 1, 0)];
}
