// f16 members at offsets of two, a vec3<f16> of six bytes at an alignment of eight, a mat2x3<f16>.
//! workgroups 1
//! bind src f16 1 2 u32 3 f16 4 5 6 0 7 8 9 0 10 11 12 0
//! zeros dst f32 12
//! expect dst f32 1 2 3 4 5 6 7 8 9 10 11 12
enable f16;
struct Item { a: f16, b: f16, c: u32, v: vec3<f16>, m: mat2x3<f16> }
@group(0) @binding(0) var<storage, read> src: Item;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(1)
fn main() {
    dst[0] = f32(src.a);
    dst[1] = f32(src.b);
    dst[2] = f32(src.c);
    for (var k = 0u; k < 3u; k++) {
        dst[3u + k] = f32(src.v[k]);
        dst[6u + k] = f32(src.m[0][k]);
        dst[9u + k] = f32(src.m[1][k]);
    }
}
