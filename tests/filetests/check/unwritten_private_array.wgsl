// A private array of which one element is never set.
//! lint
//! workgroups 1
//! zeros dst u32 4
//! finds unwritten-read USE USE ring
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
var<private> ring: array<u32, 4>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) l: u32) {
    for (var k = 1u; k < 4u; k++) { ring[k] = k; }
    //+ ring[0] = 9u;
    dst[l] = ring[l]; // <USE>
}
