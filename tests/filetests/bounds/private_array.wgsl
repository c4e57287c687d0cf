// Out of bounds in a private array.
//! invocations 4
//! bind at u32 0 2 3 4294967295
//! zeros dst u32 8
//! expect dst u32 5 10 4 10 0 9 0 9
@group(0) @binding(0) var<storage, read> at: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
var<private> t: array<u32, 3> = array<u32, 3>(4u, 2u, 3u);

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let k = at[id.x];
    t[k] += 1u;
    dst[2u * id.x] = t[k];
    // Nothing else may have changed.
    dst[2u * id.x + 1u] = t[0] + t[1] + t[2];
}
