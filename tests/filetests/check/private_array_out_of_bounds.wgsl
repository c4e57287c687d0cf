// A stack that is one too small.
//! workgroups 1
//! zeros dst u32 4
//! finds out-of-bounds PUSH PUSH stack[3]
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;
//- var<private> stack: array<u32, 3>;
//+ var<private> stack: array<u32, 4>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) l: u32) {
    for (var k = 0u; k <= l; k++) {
        stack[k] = k; // <PUSH>
    }
    dst[l] = stack[0];
}
