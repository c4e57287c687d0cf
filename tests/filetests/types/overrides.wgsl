// Override constants: given, left at their default, computed from another, in the workgroup's size
// and in an array's length.
//! workgroups 2
//! constant width 4
//! constant 7 2.5
//! constant on 1
//! zeros dst f32 8
//! expect dst f32 2.5 3.5 4.5 5.5 6.5 7.5 8.5 9.5
override width: u32 = 64u;
@id(7) override first: f32;
override on: bool = false;
override extra: f32 = 3.0;
override twice = 2u * width;
var<workgroup> tile: array<f32, twice>;
@group(0) @binding(0) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(width)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) l: u32) {
    tile[twice - 1u - l] = f32(id.x) + first;
    if on && extra == 3.0 {
        dst[id.x] = tile[twice - 1u - l];
    }
}
