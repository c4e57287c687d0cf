// and, or, not, == and != of booleans and of vectors of them.
//! invocations 4
//! bind a u32 0 0 1 1
//! bind b u32 0 1 0 1
//! zeros dst u32 4
//! expect dst u32 12 214 210 107
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    let x = a[i] != 0u;
    let y = b[i] != 0u;
    let both = vec2<bool>(x, true) & vec2<bool>(y, true);
    let either = vec2<bool>(x, false) | vec2<bool>(y, false);
    let differ = vec2<bool>(x, true) != vec2<bool>(y, true);
    dst[i] = u32(x & y) | u32(x | y) << 1u | u32(!x) << 2u | u32(x == y) << 3u | u32(x != y) << 4u
        | u32(all(both)) << 5u | u32(any(either)) << 6u | u32(any(differ)) << 7u;
}
