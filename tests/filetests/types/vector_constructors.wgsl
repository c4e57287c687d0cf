// Splats, mixtures of scalars and vectors, zero values and inferred types.
//! workgroups 1
//! zeros dst f32 16
//! expect dst f32 2 2 2 2 1 2 3 4 0 0 0 0 1 5 6 7
@group(0) @binding(0) var<storage, read_write> dst: array<vec4<f32>>;

@compute @workgroup_size(1)
fn main() {
    dst[0] = vec4(2.0);
    dst[1] = vec4(1.0, vec2(2.0, 3.0), 4.0);
    dst[2] = vec4<f32>();
    dst[3] = vec4f(vec2<f32>(vec2<u32>(1u, 5u)), vec2<f32>(vec2<i32>(6, 7)));
}
