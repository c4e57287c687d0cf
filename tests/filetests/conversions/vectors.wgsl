// Conversions and bitcasts of vectors, and from a matrix of one size to components.
//! workgroups 1
//! bind src f32 1.75 -1.75 3000000000 -3000000000
//! zeros n i32 4
//! expect n i32 1 -1 2147483520 -2147483648
//! zeros u u32 12
//! expect u u32 1 0 3000000000 0 0x3fe00000 0xbfe00000 0x4f32d05e 0xcf32d05e 1 1 1 1
//! zeros f f32 4
//! expect f f32 1 -1 2147483520 -2147483648
@group(0) @binding(0) var<storage, read> src: vec4<f32>;
@group(0) @binding(1) var<storage, read_write> n: vec4<i32>;
@group(0) @binding(2) var<storage, read_write> u: array<vec4<u32>, 3>;
@group(0) @binding(3) var<storage, read_write> f: vec4<f32>;

@compute @workgroup_size(1)
fn main() {
    n = vec4<i32>(src);
    u[0] = vec4<u32>(src);
    u[1] = bitcast<vec4<u32>>(src);
    u[2] = vec4<u32>(vec4<bool>(src));
    f = vec4<f32>(vec4<i32>(src));
}
