// An array of structs, copied element by element and written member by member.
//! workgroups 3
//! split
//! bind src u32 1 2 3 f32 0.5 u32 4 5 6 f32 1.5 u32 7 8 9 f32 2.5
//! zeros dst u32 12
//! expect dst u32 3 2 1 f32 1 u32 6 5 4 f32 3 u32 9 8 7 f32 5
struct Item { a: u32, b: u32, c: u32, w: f32 }
@group(0) @binding(0) var<storage, read> src: array<Item>;
@group(0) @binding(1) var<storage, read_write> dst: array<Item>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
    var item = src[id.x];
    let a = item.a;
    item.a = item.c;
    item.c = a;
    item.w *= 2.0;
    dst[id.x] = item;
}
