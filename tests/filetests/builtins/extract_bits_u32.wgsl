// Offset and count are clamped to the 32 bits there are.
//! invocations 10
//! bind e u32 305419896 2596069104 4294967295 5 2147483648 4294967295 4063516280 7 2147553844
//! bind e u32 2147483649
//! bind offset u32 0 4 0 8 31 32 28 40 16 1
//! bind count u32 8 8 32 0 1 4 100 0 4294967295 31
//! zeros dst u32 10
//! expect dst u32 120 239 4294967295 0 1 0 15 0 32769 1073741824
@group(0) @binding(0) var<storage, read> e: array<u32>;
@group(0) @binding(1) var<storage, read> offset: array<u32>;
@group(0) @binding(2) var<storage, read> count: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 10u { return; }
    dst[i] = extractBits(e[i], offset[i], count[i]);
}
