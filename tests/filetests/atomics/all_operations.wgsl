// Every atomic operation of one invocation: the old value comes back, the new one stays.
//! workgroups 1
//! whole
//! bind a u32 10 10 10 10 12 12 12 10 10
//! expect a u32 13 7 4 10 8 14 6 5 99
//! zeros old u32 11
//! expect old u32 10 10 10 10 12 12 12 10 10 99 13
@group(0) @binding(0) var<storage, read_write> a: array<atomic<u32>, 9>;
@group(0) @binding(1) var<storage, read_write> old: array<u32, 11>;

@compute @workgroup_size(1)
fn main() {
    old[0] = atomicAdd(&a[0], 3u);
    old[1] = atomicSub(&a[1], 3u);
    old[2] = atomicMin(&a[2], 4u);
    old[3] = atomicMax(&a[3], 4u);
    old[4] = atomicAnd(&a[4], 10u);
    old[5] = atomicOr(&a[5], 10u);
    old[6] = atomicXor(&a[6], 10u);
    old[7] = atomicExchange(&a[7], 5u);
    old[8] = atomicLoad(&a[8]);
    atomicStore(&a[8], 99u);
    old[9] = atomicLoad(&a[8]);
    old[10] = atomicLoad(&a[0]);
}
