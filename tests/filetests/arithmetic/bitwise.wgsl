// and, or, xor and complement.
//! invocations 4
//! bind a u32 0 4294967295 252645135 305419896
//! bind b u32 4294967295 1431655765 16711935 2596069104
//! zeros dst u32 16
//! expect dst u32 0 1431655765 983055 305419888 4294967295 4294967295 268374015 2596069112
//! expect dst u32 4294967295 2863311530 267390960 2290649224 4294967295 0 4042322160 3989547399
@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = a[i] & b[i];
    dst[i + 4u] = a[i] | b[i];
    dst[i + 8u] = a[i] ^ b[i];
    dst[i + 12u] = ~a[i];
}
