// u32 division and remainder, and their values for a zero divisor.
//! invocations 8
//! bind a u32 4294967295 0 2147483648 5 7 65536 4000000000 3
//! bind b u32 1 1 2 0 3 65536 4000000000 4294967295
//! zeros dst u32 16
//! expect dst u32 4294967295 0 1073741824 5 2 1 1 0 0 0 0 0 1 0 0 3
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = a[i] / b[i];
    dst[i + 8u] = a[i] % b[i];
}
