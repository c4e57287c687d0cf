// A loop left from the middle by some invocations earlier than by others, with work after the break.
//! invocations 6
//! zeros dst u32 6
//! expect dst u32 0 1 11 111 1111 11111
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(6)
fn main(@builtin(local_invocation_index) i: u32) {
    var k = 0u;
    var digits = 0u;
    loop {
        if k == i { break; }
        digits = 10u * digits + 1u;
        k++;
    }
    dst[i] = digits;
}
