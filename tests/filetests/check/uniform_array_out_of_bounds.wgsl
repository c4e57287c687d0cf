// A table of weights that is shorter than the loop.
//! workgroups 1
//! set weights f32 1 0 0 0 2 0 0 0 3 0 0 0
//! zeros dst f32 4
//! finds out-of-bounds WEIGHT WEIGHT weights[3].x
@group(0) @binding(0) var<uniform> weights: array<vec4<f32>, 3>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) l: u32) {
    var sum = 0.0;
    //- for (var k = 0u; k <= l; k++) {
    //+ for (var k = 0u; k < l; k++) {
        sum += weights[k].x; // <WEIGHT>
    }
    dst[l] = sum;
}
