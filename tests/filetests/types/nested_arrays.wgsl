// Arrays of arrays of vectors in a buffer, by dynamic indices on every level.
//! workgroups 2,3
//! zeros dst u32 24
//! expect dst u32 0 1 2 3 10 11 12 13 20 21 22 23 100 101 102 103 110 111 112 113 120 121 122 123
@group(0) @binding(0) var<storage, read_write> dst: array<array<vec4<u32>, 3>, 2>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
    for (var k = 0u; k < 4u; k++) {
        dst[id.x][id.y][k] = 100u * id.x + 10u * id.y + k;
    }
}
