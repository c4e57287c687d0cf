// modf keeps the sign in both parts; frexp gives a fraction in [0.5, 1); ldexp undoes it.
//! workgroups 1
//! bind src f32 2.75 -2.75 0 8 -0.15625 1e30
//! zeros dst f32 24
//! expect dst f32 2 0.75 -2 -0.75 0 0 8 0 -0|0 -0.15625 1e30 0
//! expect dst f32 0.6875 -0.6875 0 0.5 -0.625 0.7888609
//! expect dst f32 2.75 -2.75 0 8 -0.15625 1e30
//! zeros exponent i32 6
//! expect exponent i32 2 2 0 4 -2 100
@group(0) @binding(0) var<storage, read> src: array<f32, 6>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32, 24>;
@group(0) @binding(2) var<storage, read_write> exponent: array<i32, 6>;

@compute @workgroup_size(6)
fn main(@builtin(local_invocation_index) i: u32) {
    let parts = modf(src[i]);
    dst[2u * i] = parts.whole;
    dst[2u * i + 1u] = parts.fract;
    let split = frexp(src[i]);
    dst[12u + i] = split.fract;
    exponent[i] = split.exp;
    dst[18u + i] = ldexp(split.fract, split.exp);
}
