// A uniform by value: scalars, a vec3 after a scalar, an array with a stride of 16, a nested struct.
//! workgroups 1
//! set params u32 3 3*0 f32 1 2 3 u32 4 i32 10 3*0 20 3*0 f32 0.5 0.25 0 0
//! zeros dst f32 8
//! expect dst f32 3 1 2 3 4 30 0.5 0.25
struct Inner { a: f32, b: f32 }
struct Params { n: u32, v: vec3<f32>, m: u32, list: array<vec4<i32>, 2>, @align(16) inner: Inner }
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(1)
fn main() {
    dst[0] = f32(params.n);
    dst[1] = params.v.x;
    dst[2] = params.v.y;
    dst[3] = params.v.z;
    dst[4] = f32(params.m);
    dst[5] = f32(params.list[0].x + params.list[1].x);
    dst[6] = params.inner.a;
    dst[7] = params.inner.b;
}
