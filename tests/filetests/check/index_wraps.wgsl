// The index 0 - 1 wraps to the largest u32.
//! lint
//! workgroups 1
//! bind src f32 0..8
//! zeros dst f32 8
//! finds out-of-bounds LEFT LEFT src[4294967295]
//! finds index-wrap LEFT LEFT
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) l: u32) {
    //+ if l == 0u { return; }
    dst[l] = src[l - 1u]; // <LEFT>
}
