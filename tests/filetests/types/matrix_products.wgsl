// Matrix by vector, vector by matrix, matrix by matrix, scalar by matrix, sums. m has the columns
// (1, 2), (3, 4), (5, 6).
//! workgroups 1
//! bind m f32 1 2 3 4 5 6
//! zeros dst f32 20
//! expect dst f32 22 28 5 11 17 35 44 44 56 2 4 6 8 10 12 0 0 0 0 10
@group(0) @binding(0) var<storage, read> m: mat3x2<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(1)
fn main() {
    // 1 * (1, 2) + 2 * (3, 4) + 3 * (5, 6)
    let mv = m * vec3(1.0, 2.0, 3.0);
    dst[0] = mv.x;
    dst[1] = mv.y;
    // The dot products of the columns with (1, 2).
    let vm = vec2(1.0, 2.0) * m;
    dst[2] = vm.x;
    dst[3] = vm.y;
    dst[4] = vm.z;
    // m times its transpose: the sum of the columns' outer products.
    let mm = m * transpose(m);
    dst[5] = mm[0].x;
    dst[6] = mm[0].y;
    dst[7] = mm[1].x;
    dst[8] = mm[1].y;
    let twice = 2.0 * m;
    let also_twice = m + m;
    let nothing = twice - also_twice;
    for (var c = 0u; c < 3u; c++) {
        dst[9u + 2u * c] = twice[c].x;
        dst[10u + 2u * c] = also_twice[c].y;
        dst[15u + c] = nothing[c].x;
    }
    dst[18] = nothing[2].y;
    dst[19] = (m * 2.0)[2].x;
}
