// Out of bounds in the columns and rows of a matrix in a buffer.
//! workgroups 1
//! bind at u32 2 3
//! bind m f32 1 2 3 4
//! expect m f32 1 2 3 4
//! zeros dst f32 4
//! expect dst f32 0 0 0 0
@group(0) @binding(0) var<storage, read> at: array<u32>;
@group(0) @binding(1) var<storage, read_write> m: mat2x2<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(1)
fn main() {
    m[at[0]] = vec2(9.0);
    m[at[1]][0] = 9.0;
    m[1][at[0]] = 9.0;
    dst[0] = m[at[0]].x;
    dst[1] = m[at[1]].y;
    dst[2] = m[0][at[0]];
    dst[3] = m[1][at[1]];
}
