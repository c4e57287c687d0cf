// Nested loops whose trip counts, breaks and continues differ from invocation to invocation.
//! invocations 8
//! zeros dst u32 8
//! expect dst u32 0 0 1 2 10 15 15 15
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var total = 0u;
    for (var outer = 0u; outer < id.x; outer++) {
        if outer == 5u { break; }
        for (var k = 0u; k <= outer; k++) {
            if k % 2u == 0u { continue; }
            total += k;
        }
        if id.x > 3u { total += 1u; }
    }
    dst[id.x] = total;
}
