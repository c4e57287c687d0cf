// Keeps the odd numbers, in order: a ballot in workgroup memory, bit counts, and one atomic for the block.
//! workgroups 1
//! bind src u32 2 0 0 8 0 4 9 9 7 0 1 3 2 1 6 2
//! zeros dst u32 16
//! zeros length u32 1
//! expect dst u32 9 9 7 1 3 1 0 0 0 0 0 0 0 0 0 0
//! expect length u32 6
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
@group(0) @binding(2) var<storage, read_write> length: atomic<u32>;
var<workgroup> bits: atomic<u32>;
var<workgroup> first: u32;

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    let keep = id.x < arrayLength(&src) && src[id.x] % 2u == 1u;
    if keep { atomicOr(&bits, 1u << l); }
    workgroupBarrier();
    let all = atomicLoad(&bits);
    if l == 0u { first = atomicAdd(&length, countOneBits(all)); }
    workgroupBarrier();
    if keep { dst[first + countOneBits(all & ((1u << l) - 1u))] = src[id.x]; }
}
