// An atomic flag does not carry plain data with it: atomics are relaxed.
//! workgroups 2
//! zeros flag u32 1
//! zeros data u32 1
//! zeros dst u32 2
//! finds race-across-workgroups SEND RECEIVE data[0]
@group(0) @binding(0) var<storage, read_write> flag: atomic<u32>;
//- @group(0) @binding(1) var<storage, read_write> data: array<u32>;
//+ @group(0) @binding(1) var<storage, read_write> data: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) group: vec3<u32>) {
    if group.x == 0u {
        //- data[0] = 42u; // <SEND>
        //+ atomicStore(&data[0], 42u);
        storageBarrier();
        atomicStore(&flag, 1u);
    } else if atomicLoad(&flag) == 1u {
        //- dst[1] = data[0]; // <RECEIVE>
        //+ dst[1] = atomicLoad(&data[0]);
    }
}
