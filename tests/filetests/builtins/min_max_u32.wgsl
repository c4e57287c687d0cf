// min, then max, of unsigned numbers.
//! invocations 4
//! bind a u32 0 5 4294967295 2147483648
//! bind b u32 1 3 0 2147483647
//! zeros dst u32 8
//! expect dst u32 0 3 0 2147483647 1 5 4294967295 2147483648
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = min(a[i], b[i]);
    dst[i + 4u] = max(a[i], b[i]);
}
