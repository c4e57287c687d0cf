// dot, cross, length, distance, normalize, faceForward, reflect and refract.
//! workgroups 1
//! bind src f32 1 2 2 0 2 -1 4 0
//! zeros dst f32 24
//! tolerance 1e-6 2e-6
//! expect dst f32 8 10 0 -5 -10 0 5 0
//! expect dst f32 3 5 0.33333334 0.6666667 0.6666667 -1 -2 -2
//! expect dst f32 1 -2 2 -0.8660254 -0.5 0 0 0
@group(0) @binding(0) var<storage, read> src: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

fn put(at: u32, v: vec3<f32>) {
    dst[at] = v.x;
    dst[at + 1u] = v.y;
    dst[at + 2u] = v.z;
}

@compute @workgroup_size(1)
fn main() {
    let a = src[0].xyz;
    let b = src[1].xyz;
    // (1, 2, 2) . (2, -1, 4) = 2 - 2 + 8
    dst[0] = dot(a, b);
    // (2 * 4 - 2 * -1, 2 * 2 - 1 * 4, 1 * -1 - 2 * 2)
    put(1u, cross(a, b));
    put(4u, cross(b, a));
    dst[7] = dot(a, cross(a, b));
    dst[8] = length(a);
    dst[9] = distance(vec2(1.0, 2.0), vec2(b.z, b.x + 4.0));
    put(10u, normalize(a));
    put(13u, faceForward(a, vec3(0.0, 0.0, 1.0), vec3(0.0, 0.0, 1.0)));
    // (1, 2, 2) mirrored in the plane y = 0.
    put(16u, reflect(a, vec3(0.0, 1.0, 0.0)));
    // With a ratio of 1 a ray passes straight through.
    let slanted = vec3(-0.8660254, -0.5, 0.0);
    put(19u, refract(slanted, vec3(0.0, 1.0, 0.0), 1.0));
    // Total reflection gives zero.
    dst[22] = length(refract(slanted, vec3(0.0, 1.0, 0.0), 1.5));
    dst[23] = length(vec2(0.0));
}
