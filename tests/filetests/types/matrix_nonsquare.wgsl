// Every shape of matrix, multiplied out: mCxR has C columns of R rows.
//! workgroups 1
//! zeros dst f32 9
//! expect dst f32 6 8 6 9 9 9 12 12 12
@group(0) @binding(0) var<storage, read_write> dst: array<f32>;

fn sum2(v: vec2<f32>) -> f32 { return v.x + v.y; }
fn sum3(v: vec3<f32>) -> f32 { return v.x + v.y + v.z; }
fn sum4(v: vec4<f32>) -> f32 { return v.x + v.y + v.z + v.w; }

@compute @workgroup_size(1)
fn main() {
    let a = vec2(1.0);
    let b = vec3(1.0);
    let c = vec4(1.0);
    dst[0] = sum2(mat2x2(a, 2.0 * a) * a);
    dst[1] = sum2(mat4x2(a, a, a, a) * c);
    dst[2] = sum2(mat3x2(a, a, a) * b);
    dst[3] = sum3(mat2x3(b, 2.0 * b) * a);
    dst[4] = sum3(mat3x3(b, b, b) * b);
    dst[5] = sum3(b * mat3x3(b, b, b));
    dst[6] = sum4(mat3x4(c, c, c) * b);
    dst[7] = sum3(mat4x3(b, b, b, b) * c);
    dst[8] = sum4(mat2x4(c, 2.0 * c) * a);
}
