// An element out of bounds has no members: the access behind it reads zero and writes nothing.
//! invocations 3
//! bind at u32 1 2 4294967295
//! bind items u32 1 2 3 4 5 6
//! expect items u32 1 2 3 4 5 66
//! zeros dst u32 3
//! expect dst u32 5 0 0
struct Item { a: u32, b: array<u32, 2> }
@group(0) @binding(0) var<storage, read> at: array<u32>;
@group(0) @binding(1) var<storage, read_write> items: array<Item>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = &items[at[id.x]];
    dst[id.x] = (*item).b[0];
    (*item).b[1] = 66u;
}
