// Several invocations take the same position.
//! workgroups 1
//! bind src u32 0..8
//! zeros dst u32 8
//! finds race-in-workgroup TAKE TAKE count
//! finds race-in-workgroup PUT PUT dst[0]
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
//- var<workgroup> count: u32;
//+ var<workgroup> count: atomic<u32>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) l: u32) {
    if src[l] % 2u == 0u {
        //- let at = count; count = at + 1u; // <TAKE>
        //+ let at = atomicAdd(&count, 1u);
        dst[at] = src[l]; // <PUT>
    }
}
