// A local array with dynamic indices that differ between invocations.
//! invocations 4
//! zeros dst u32 4
//! expect dst u32 23 12 1 30
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) i: u32) {
    var t: array<u32, 4>;
    for (var k = 0u; k < 4u; k++) {
        t[(k + i) % 4u] = k;
    }
    dst[i] = 10u * t[2] + t[3];
}
