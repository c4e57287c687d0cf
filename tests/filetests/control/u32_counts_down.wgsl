// A loop that ends because a u32 wraps below zero.
//! invocations 4
//! zeros dst u32 4
//! expect dst u32 1 2 3 4
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) i: u32) {
    var turns = 0u;
    for (var k = i; k < 0x80000000u; k--) {
        turns++;
    }
    dst[i] = turns;
}
