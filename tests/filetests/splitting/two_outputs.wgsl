// Two outputs of different strides, one with a header that stays.
//! workgroups 6
//! zeros a u32 12
//! expect a u32 0 0 1 10 2 20 3 30 4 40 5 50
//! bind b u32 77 88 6*9
//! expect b u32 77 88 95 96 97 98 99 100
struct List { x: u32, y: u32, items: array<u32> }
@group(0) @binding(0) var<storage, read_write> a: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read_write> b: List;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
    a[id.x] = vec2(id.x, 10u * id.x);
    b.items[id.x] = b.x + 18u + id.x;
}
