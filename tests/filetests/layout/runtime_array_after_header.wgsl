// A header before the runtime-sized array, which arrayLength counts alone.
//! workgroups 3
//! bind list u32 5 100 0 0 1 2 3 0 4 5 6 0 7 8 9 0
//! expect list u32 5 100 0 0 11 12 13 0 14 15 16 0 17 18 19 0
//! zeros dst u32 3
//! expect dst u32 108 108 108
struct List { step: u32, base: u32, items: array<vec3<u32>> }
@group(0) @binding(0) var<storage, read_write> list: List;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
    let n = arrayLength(&list.items);
    list.items[id.x] += vec3(2u * list.step);
    dst[id.x] = n + list.base + list.step;
}
