// Transposes of square and other matrices, determinants of all three sizes.
//! workgroups 1
//! bind src f32 1 2 3 0 0 1 4 0 5 6 0 0
//! zeros dst f32 12
//! tolerance 1e-5 1e-5
//! expect dst f32 1 0 5 2 1 6 3 4 0 -2 1 -6
@group(0) @binding(0) var<storage, read> src: mat3x3<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(1)
fn main() {
    let t = transpose(src);
    for (var c = 0u; c < 3u; c++) {
        for (var r = 0u; r < 3u; r++) {
            dst[3u * c + r] = t[c][r];
        }
    }
    dst[9] = determinant(mat2x2<f32>(1.0, 3.0, 2.0, 4.0));
    // 1 (0 - 24) - 2 (0 - 20) + 3 (0 - 5)
    dst[10] = determinant(src);
    // An upper triangle: the product of the diagonal.
    dst[11] = determinant(mat4x4<f32>(
        1.0, 0.0, 0.0, 0.0, 9.0, 2.0, 0.0, 0.0, 7.0, 8.0, 3.0, 0.0, 1.0, 2.0, 3.0, -1.0,
    ));
}
