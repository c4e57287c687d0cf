// The bit counts of negative numbers: ones, leading zeros, trailing zeros, reversed, first trailing.
//! invocations 8
//! bind src i32 0 -1 1 -2 -2147483648 2147483647 -256 1000
//! zeros dst i32 40
//! expect dst i32 0 32 1 31 1 31 24 6 32 0 31 0 0 1 0 22 32 0 0 1 31 0 8 3 0 -1 -2147483648
//! expect dst i32 2147483647 1 -2 16777215 398458880 -1 0 0 1 31 0 8 3
@group(0) @binding(0) var<storage, read> src: array<i32>;
@group(0) @binding(1) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = countOneBits(src[i]);
    dst[i + 8u] = countLeadingZeros(src[i]);
    dst[i + 16u] = countTrailingZeros(src[i]);
    dst[i + 24u] = reverseBits(src[i]);
    dst[i + 32u] = firstTrailingBit(src[i]);
}
