// A maximum that begins with an unwritten variable.
//! lint
//! workgroups 1
//! bind src f32 -4 -3 -2 -1
//! zeros dst f32 4
//! finds unwritten-read FIRST FIRST best
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) l: u32) {
    var best: f32;
    //+ best = src[0];
    for (var k = 0u; k <= l; k++) {
        best = max(best, src[k]); // <FIRST>
    }
    dst[l] = best;
}
