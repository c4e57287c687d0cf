// A loop over the whole grid's stride: each invocation writes every sixth element.
//! workgroups 3
//! split
//! bind dst u32 20*1
//! expect dst u32 0 1 2 3 4 5 10 11 12 13 14 15 20 21 22 23 24 25 30 31
@group(0) @binding(0) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(2)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
) {
    var turn = 0u;
    for (var i = id.x; i < arrayLength(&dst); i += groups.x * 2u) {
        dst[i] = id.x + 10u * turn;
        turn++;
    }
}
