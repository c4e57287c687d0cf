// Members of the header and of the elements are summed, reduced by maximum and minimum, changed in
// place and stored to out of order, all in one buffer.
//! invocations 8
//! split
//! bind key u32 3 1 3 0 7 3 1 5
//! bind val i32 4 -7 9 -2 0 8 6 -9
//! bind all u32 5 i32 -3
//! bind all u32 0 i32 100 1 u32 77
//! bind all u32 0 i32 100 2 u32 77
//! bind all u32 0 i32 100 3 u32 77
//! bind all u32 0 i32 100 4 u32 77
//! bind all u32 0 i32 100 5 u32 77
//! bind all u32 0 i32 100 6 u32 77
//! bind all u32 0 i32 100 7 u32 77
//! bind all u32 0 i32 100 8 u32 77
//! expect all u32 13 i32 9
//! expect all u32 1 i32 -2 41 u32 5
//! expect all u32 2 i32 -7 -68 u32 0
//! expect all u32 0 i32 100 93 u32 77
//! expect all u32 3 i32 4 -16 u32 6
//! expect all u32 0 i32 100 5 u32 77
//! expect all u32 1 i32 -9 86 u32 77
//! expect all u32 0 i32 100 67 u32 77
//! expect all u32 1 i32 0 -82 u32 2
struct Item {
    hits: atomic<u32>,
    least: atomic<i32>,
    own: i32,
    mark: u32,
}
struct All {
    count: atomic<u32>,
    most: atomic<i32>,
    items: array<Item>,
}
@group(0) @binding(0) var<storage, read> key: array<u32>;
@group(0) @binding(1) var<storage, read> val: array<i32>;
@group(0) @binding(2) var<storage, read_write> all: All;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let v = val[id.x];
    atomicAdd(&all.count, 1u);
    atomicMax(&all.most, v);
    atomicAdd(&all.items[key[id.x]].hits, 1u);
    atomicMin(&all.items[key[id.x]].least, v);
    all.items[id.x].own += 10 * v;
    if v > 0 {
        all.items[(id.x * 3u + 1u) % 8u].mark = id.x;
    }
}
