// A workgroup that strides over a buffer repeatedly, with the same results, before a barrier.
//! workgroups 1
//! bind src u32 0..100
//! zeros dst u32 100
//! expect dst u32 1..101
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) l: u32) {
    for (var j = 0u; j < 4u; j++) {
        for (var i = l; i < 100u; i += 64u) { dst[i] = src[i] + 1u; }
    }
    workgroupBarrier();
}
