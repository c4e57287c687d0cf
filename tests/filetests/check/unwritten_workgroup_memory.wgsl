// Only the even half of the tile is filled.
//! lint
//! workgroups 1
//! bind src f32 0..16
//! zeros dst f32 16
//! finds unwritten-read USE USE tile[1]
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;
var<workgroup> tile: array<f32, 16>;

@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) l: u32) {
    if l % 2u == 0u { tile[l] = src[l]; }
    //+ if l % 2u == 1u { tile[l] = 0.0; }
    workgroupBarrier();
    dst[l] = tile[l]; // <USE>
}
