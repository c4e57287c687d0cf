// The next tile is loaded while the last one is still read.
//! workgroups 1
//! bind src f32 0..64
//! zeros dst f32 16
//! finds race-in-workgroup USE FILL
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;
var<workgroup> tile: array<f32, 16>;

@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) l: u32) {
    var sum = 0.0;
    for (var t = 0u; t < 4u; t++) {
        tile[l] = src[t * 16u + l]; // <FILL>
        workgroupBarrier();
        for (var k = 0u; k < 16u; k++) {
            sum += tile[k]; // <USE>
        }
        //+ workgroupBarrier();
    }
    dst[l] = sum;
}
