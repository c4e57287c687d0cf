// u32 arithmetic wraps: sums, then differences, then products.
//! invocations 8
//! bind a u32 4294967295 0 2147483648 5 7 65536 4000000000 3
//! bind b u32 1 1 2 0 3 65536 4000000000 4294967295
//! zeros dst u32 24
//! expect dst u32 0 1 2147483650 5 10 131072 3705032704 2 4294967294 4294967295 2147483646 5 4 0
//! expect dst u32 0 4 4294967295 0 0 0 21 0 1983905792 4294967293
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = a[i] + b[i];
    dst[i + 8u] = a[i] - b[i];
    dst[i + 16u] = a[i] * b[i];
}
