// Invocations make different numbers of iterations of a loop with a barrier.
//! workgroups 1
//! zeros dst u32 8
//! finds divergent-barrier WAIT LOOP
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<workgroup> turn: array<u32, 8>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) l: u32) {
    //- for (var k = 0u; k <= l; k++) { // <LOOP>
    //+ for (var k = 0u; k <= 7u; k++) {
        turn[l] = k;
        workgroupBarrier(); // <WAIT>
    }
    dst[l] = turn[l];
}
