// An atomic addition to a bin out of bounds.
//! workgroups 1
//! bind src u32 0 1 2 3 4 5 6 7
//! zeros bins u32 4
//! finds out-of-bounds ADD ADD bins[4]
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>>;

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) l: u32) {
    //- let bin = src[l];
    //+ let bin = src[l] % 4u;
    atomicAdd(&bins[bin], 1u); // <ADD>
}
