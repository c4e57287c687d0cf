// Columns and elements of matrices by dynamic index, read and written, in locals and in buffers.
//! workgroups 1
//! bind at u32 1 0 2
//! bind m f32 1 2 3 4 5 6
//! expect m f32 1 20 30 40 5 60
//! zeros dst f32 6
//! expect dst f32 1 2 7 8 5 9
@group(0) @binding(0) var<storage, read> at: array<u32>;
@group(0) @binding(1) var<storage, read_write> m: mat3x2<f32>;
@group(0) @binding(2) var<storage, read_write> dst: mat3x2<f32>;

@compute @workgroup_size(1)
fn main() {
    var local = m;
    local[at[0]] = vec2(7.0, 8.0);
    local[at[2]][at[0]] = 9.0;
    dst = local;
    m[at[0]] = vec2(30.0, 40.0);
    m[at[1]][at[0]] = 20.0;
    m[at[2]].y = 60.0;
}
