// A bound of zero less one is the largest u32: the loop goes on until the index is out of bounds.
//! workgroups 1
//! set params u32 0
//! bind src u32 1 2 3
//! bind dst u32 16*9
//! expect dst u32 16*6
@group(0) @binding(0) var<uniform> params: u32;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) index: u32) {
    var sum = 0u;
    for (var k = 0u; k < params - 1u; k++) {
        if k == 1000u {
            break;
        }
        sum += src[k];
    }
    dst[index] = sum;
}
