// One member of a struct is added to, wherever an index points; the other is read there.
//! invocations 8
//! split
//! bind at u32 0 2 1 2 2 0 3 2
//! bind cells i32 10 3 0 -4 -1 5 2 7
//! expect cells i32 16 3 -4 -4 19 5 9 7
struct Cell {
    sum: atomic<i32>,
    mass: i32,
}
@group(0) @binding(0) var<storage, read> at: array<u32>;
@group(0) @binding(1) var<storage, read_write> cells: array<Cell>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = at[id.x];
    atomicAdd(&cells[c].sum, cells[c].mass);
}
