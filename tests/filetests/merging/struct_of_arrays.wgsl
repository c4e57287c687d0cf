// Arrays in one struct: one is added to, one read, one stored to.
//! invocations 8
//! split
//! bind idx u32 3 1 3 0 2 3 1 0
//! bind s u32 0 1 0 2 5 6 7 8 9 9 9 9 9 9 9 9
//! expect s u32 10 13 7 26 5 6 7 8 8 7 6 5 8 7 6 5
struct Arrays {
    sums: array<atomic<u32>, 4>,
    weights: array<u32, 4>,
    out: array<u32, 8>,
}
@group(0) @binding(0) var<storage, read> idx: array<u32>;
@group(0) @binding(1) var<storage, read_write> s: Arrays;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = idx[id.x];
    atomicAdd(&s.sums[i], s.weights[i]);
    s.out[7u - id.x] = s.weights[id.x % 4u];
}
