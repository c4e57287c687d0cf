// fma of scalars and vectors. The values are exact, so that one rounding or two give the same.
//! workgroups 1
//! bind src f32 2 3 4 -0.5
//! zeros dst f32 3
//! expect dst f32 10 -1.5 -4
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(1)
fn main() {
    dst[0] = fma(src[0], src[1], src[2]);
    let v = fma(vec2(src[1], src[2]), vec2(src[3]), vec2(0.0, -2.0));
    dst[1] = v.x;
    dst[2] = v.y;
}
