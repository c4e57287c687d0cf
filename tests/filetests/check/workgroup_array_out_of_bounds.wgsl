// A halo of one on each side needs two more elements.
//! workgroups 1
//! bind src f32 0..8
//! zeros dst f32 8
//! finds out-of-bounds FILL FILL tile[9]
//! finds out-of-bounds USE USE tile[9]
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;
//- var<workgroup> tile: array<f32, 9>;
//+ var<workgroup> tile: array<f32, 10>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) l: u32) {
    tile[l + 1u] = src[l];
    if l == 0u { tile[0] = src[0]; }
    if l == 7u {
        tile[l + 2u] = src[7]; // <FILL>
    }
    workgroupBarrier();
    dst[l] = tile[l] + tile[l + 2u]; // <USE>
}
