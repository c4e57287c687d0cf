// Reading swizzles in both notations, of every length, with repeats.
//! workgroups 1
//! bind src f32 1 2 3 4
//! zeros dst f32 12
//! expect dst f32 4 3 2 1 1 1 2 2 3 4 2 3
@group(0) @binding(0) var<storage, read> src: vec4<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<f32>, 3>;

@compute @workgroup_size(1)
fn main() {
    dst[0] = src.wzyx;
    dst[1] = vec4(src.xx, src.gg);
    dst[2] = vec4(src.bar.rg, src.yzw.xy);
}
