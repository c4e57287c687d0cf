// The formula of the specification: k = 1 - e3^2 (1 - dot(e2, e1)^2),
// e3 e1 - (e3 dot(e2, e1) + sqrt(k)) e2. Here e1 = (0.6, -0.8), e2 = (0, 1), e3 = 0.5:
// k = 1 - 0.25 * 0.36 = 0.91.
//! workgroups 1
//! bind src f32 0.6 -0.8
//! zeros dst f32 2
//! tolerance 1e-6 1e-5
//! expect dst f32 0.3 -0.9539392
@group(0) @binding(0) var<storage, read> src: vec2<f32>;
@group(0) @binding(1) var<storage, read_write> dst: vec2<f32>;

@compute @workgroup_size(1)
fn main() {
    dst = refract(src, vec2(0.0, 1.0), 0.5);
}
