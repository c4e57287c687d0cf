// The grid is rounded up, and no guard excludes the invocations beyond the end.
//! invocations 10
//! bind src f32 0..10
//! zeros dst f32 10
//! finds out-of-bounds ALL ALL src[10]
//! finds out-of-bounds ALL ALL dst[10]
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    //+ if id.x >= arrayLength(&dst) { return; }
    dst[id.x] = 2.0 * src[id.x]; // <ALL>
}
