// Vector with scalar on either side, componentwise products, and integer vectors with zeros among
// the divisors.
//! workgroups 1
//! zeros f f32 12
//! expect f f32 3 4 5 9 8 7 10 40 90 0.5 1 1.5
//! bind d i32 0 2 -1 0
//! zeros n i32 8
//! expect n i32 7 -4 -2147483648 0 0 -1 0 0
@group(0) @binding(0) var<storage, read_write> f: array<f32>;
@group(0) @binding(1) var<storage, read> d: vec4<i32>;
@group(0) @binding(2) var<storage, read_write> n: array<vec4<i32>>;

fn put(at: u32, v: vec3<f32>) {
    f[at] = v.x;
    f[at + 1u] = v.y;
    f[at + 2u] = v.z;
}

@compute @workgroup_size(1)
fn main() {
    let v = vec3(1.0, 2.0, 3.0);
    put(0u, v + 2.0);
    put(3u, 10.0 - v);
    put(6u, v * v * vec3(10.0));
    put(9u, v / 2.0);
    let a = vec4<i32>(7, -9, i32(-2147483648), 0);
    n[0] = a / d;
    n[1] = a % d;
}
