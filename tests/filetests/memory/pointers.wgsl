// let pointers to an element, to a member, to an element of a local array; read and written through.
//! invocations 2
//! bind dst u32 1 2 3 4 5 6 7 8
//! expect dst u32 11 20 3 5 15 24 7 9
struct Item { first: u32, second: u32, rest: array<u32, 2> }
@group(0) @binding(0) var<storage, read_write> dst: array<Item>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = &dst[id.x];
    let first = &(*item).first;
    *first += 10u;
    (*item).second = *first + 9u;
    var local = array<u32, 3>(1u, 2u, 3u);
    let l = &local[2];
    *l += (*item).first - 9u;
    let rest = &item.rest;
    rest[1] = local[2];
}
