// Matrices in a uniform: mat4x4 and mat3x3, whole and by column.
//! workgroups 1
//! set params f32 1 0 0 0 0 2 0 0 0 0 3 0 4 5 6 1 1 2 3 0 4 5 6 0 7 8 9 0
//! zeros dst f32 8
//! expect dst f32 5 7 9 1 12 15 18 9
struct Params { move_by: mat4x4<f32>, other: mat3x3<f32> }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<f32>>;

@compute @workgroup_size(1)
fn main() {
    dst[0] = params.move_by * vec4(1.0);
    dst[1] = vec4(params.other * vec3(1.0), params.other[2].z);
}
