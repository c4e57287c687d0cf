// Atomics as members of a struct, of both types, with a header and padding between.
//! invocations 10
//! split
//! bind all u32 7 i32 -1 u32 0 0 9 9 4*0
//! expect all u32 17 i32 -46 u32 3 0 12 9 2 0 2 0
struct Bin { count: atomic<u32>, pad: u32 }
struct All { total: atomic<u32>, minus: atomic<i32>, @align(4) bins: array<Bin> }
@group(0) @binding(0) var<storage, read_write> all: All;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    atomicAdd(&all.total, 1u);
    atomicSub(&all.minus, i32(id.x));
    atomicAdd(&all.bins[id.x % 4u].count, 1u);
}
