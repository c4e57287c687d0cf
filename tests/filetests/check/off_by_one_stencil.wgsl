// A stencil that forgets that the last cell has no right neighbour.
//! invocations 16
//! bind src f32 0..16
//! zeros dst f32 16
//! finds out-of-bounds RIGHT RIGHT src[16]
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i == 0u { return; }
    //+ if i + 1u >= arrayLength(&src) { return; }
    dst[i] = src[i - 1u]
        + src[i + 1u]; // <RIGHT>
}
