// Numeric built-ins work on each component of a vector.
//! workgroups 1
//! bind src f32 -1.5 2.5 0.25 -8
//! zeros dst f32 24
//! expect dst f32 1.5 2.5 0.25 8
//! expect dst f32 -2 2 0 -8
//! expect dst f32 -1 1 1 -1
//! expect dst f32 -1 1 0.25 -1
//! expect dst f32 -1 2.5 0.5 -1
//! expect dst f32 0 1 0.25 0
@group(0) @binding(0) var<storage, read> src: vec4<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<f32>>;

@compute @workgroup_size(1)
fn main() {
    dst[0] = abs(src);
    dst[1] = round(src);
    dst[2] = sign(src);
    dst[3] = clamp(src, vec4(-1.0), vec4(1.0));
    dst[4] = max(src, vec4(-1.0, -1.0, 0.5, -1.0));
    dst[5] = saturate(src);
}
