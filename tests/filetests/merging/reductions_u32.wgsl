// Every operator that is a reduction, each in a buffer of its own that does not start at zero.
//! invocations 8
//! split
//! bind data u32 3 9 4 1 12 7 5 10
//! bind sum u32 100 1
//! expect sum u32 151 1
//! bind difference u32 100
//! expect difference u32 49
//! bind least u32 50 2
//! expect least u32 1 2
//! bind most u32 0 20
//! expect most u32 12 20
//! bind both u32 0xfff
//! expect both u32 0xff0
//! bind either u32 0x1000
//! expect either u32 0x100f
//! bind odd u32 6
//! expect odd u32 13
@group(0) @binding(0) var<storage, read> data: array<u32>;
@group(0) @binding(1) var<storage, read_write> sum: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> difference: atomic<u32>;
@group(0) @binding(3) var<storage, read_write> least: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> most: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> both: atomic<u32>;
@group(0) @binding(6) var<storage, read_write> either: atomic<u32>;
@group(0) @binding(7) var<storage, read_write> odd: atomic<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let x = data[id.x];
    atomicAdd(&sum[0], x);
    atomicSub(&difference, x);
    atomicMin(&least[0], x);
    atomicMin(&least[1], x + 5u);
    atomicMax(&most[0], x);
    atomicMax(&most[1], x);
    atomicAnd(&both, ~x);
    atomicOr(&either, x);
    atomicXor(&odd, x);
}
