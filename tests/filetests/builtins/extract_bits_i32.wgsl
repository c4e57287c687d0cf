// As for u32, and the top bit of the field is the sign.
//! invocations 10
//! bind e i32 305419896 -1698898192 -1 5 -2147483648 -1 -231451016 7 -2147413452 -2147483647
//! bind offset u32 0 4 0 8 31 32 28 40 16 1
//! bind count u32 8 8 32 0 1 4 100 0 4294967295 31
//! zeros dst i32 10
//! expect dst i32 120 -17 -1 0 -1 0 -1 0 -32767 -1073741824
@group(0) @binding(0) var<storage, read> e: array<i32>;
@group(0) @binding(1) var<storage, read> offset: array<u32>;
@group(0) @binding(2) var<storage, read> count: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 10u { return; }
    dst[i] = extractBits(e[i], offset[i], count[i]);
}
