// Columns of three rows lie 16 bytes apart, of two rows 8. Read row by row.
//! workgroups 1
//! bind src f32 1 2 3 -1 4 5 6 -1 7 8 9 -1 11 12 13 -1 14 15 16 -1 21 22 23 24 25 26 31 -1
//! zeros dst f32 22
//! expect dst f32 1 4 7 2 5 8 3 6 9 11 14 12 15 13 16 21 23 25 22 24 26 31
struct Matrices { a: mat3x3<f32>, b: mat2x3<f32>, c: mat3x2<f32>, d: f32 }
@group(0) @binding(0) var<storage, read> src: array<Matrices>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(1)
fn main() {
    var at = 0u;
    for (var row = 0u; row < 3u; row++) {
        for (var column = 0u; column < 3u; column++) {
            dst[at] = src[0].a[column][row];
            at++;
        }
    }
    for (var row = 0u; row < 3u; row++) {
        for (var column = 0u; column < 2u; column++) {
            dst[at] = src[0].b[column][row];
            at++;
        }
    }
    for (var row = 0u; row < 2u; row++) {
        for (var column = 0u; column < 3u; column++) {
            dst[at] = src[0].c[column][row];
            at++;
        }
    }
    dst[at] = src[0].d;
}
