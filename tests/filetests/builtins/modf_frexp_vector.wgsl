// modf and frexp of vectors.
//! workgroups 1
//! bind src f32 1.5 -3.25
//! zeros dst f32 6
//! expect dst f32 1 -3 0.5 -0.25 0.75 -0.8125
//! zeros exponent i32 2
//! expect exponent i32 1 2
@group(0) @binding(0) var<storage, read> src: vec2<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec2<f32>, 3>;
@group(0) @binding(2) var<storage, read_write> exponent: vec2<i32>;

@compute @workgroup_size(1)
fn main() {
    let parts = modf(src);
    dst[0] = parts.whole;
    dst[1] = parts.fract;
    let split = frexp(src);
    dst[2] = split.fract;
    exponent = split.exp;
}
