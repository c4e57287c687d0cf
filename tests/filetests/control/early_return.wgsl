// Some invocations return early, from inside a loop; the others go on.
//! invocations 8
//! bind dst u32 8*9
//! expect dst u32 9 100 9 103 9 105 9 107
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) i: u32) {
    for (var k = 0u; k < 3u; k++) {
        if i % 2u == 0u && k == 1u { return; }
    }
    if i == 1u {
        dst[i] = 100u;
        return;
    }
    dst[i] = 100u + i;
}
