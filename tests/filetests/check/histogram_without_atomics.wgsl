// Invocations of all workgroups add to the same bins.
//! workgroups 4
//! bind src u32 32*1 32*3
//! zeros bins u32 4
//! finds race-in-workgroup ADD ADD bins[1]
//! finds race-across-workgroups ADD ADD bins[1]
@group(0) @binding(0) var<storage, read> src: array<u32>;
//- @group(0) @binding(1) var<storage, read_write> bins: array<u32>;
//+ @group(0) @binding(1) var<storage, read_write> bins: array<atomic<u32>>;

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    //- bins[src[id.x] % 4u] += 1u; // <ADD>
    //+ atomicAdd(&bins[src[id.x] % 4u], 1u);
}
