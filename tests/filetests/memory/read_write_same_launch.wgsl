// An invocation sees its own earlier writes to a buffer.
//! invocations 4
//! bind a u32 1 2 3 4
//! expect a u32 16 32 48 64
@group(0) @binding(0) var<storage, read_write> a: array<u32>;

@compute @workgroup_size(2)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    for (var k = 0u; k < 4u; k++) {
        a[id.x] = a[id.x] + a[id.x];
    }
}
