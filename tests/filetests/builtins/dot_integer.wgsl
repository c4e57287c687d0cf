// Integer dot products wrap.
//! workgroups 1
//! bind a i32 1 2 3 4 65536 -1 0 2147483647
//! bind b i32 5 -6 7 8 65536 -2 9 2
//! zeros dst i32 4
//! expect dst i32 46 0 -7 -7
//! zeros udst u32 2
//! expect udst u32 4294967294 3
@group(0) @binding(0) var<storage, read> a: array<vec4<i32>>;
@group(0) @binding(1) var<storage, read> b: array<vec4<i32>>;
@group(0) @binding(2) var<storage, read_write> dst: array<i32>;
@group(0) @binding(3) var<storage, read_write> udst: array<u32>;

@compute @workgroup_size(1)
fn main() {
    // 5 - 12 + 21 + 32
    dst[0] = dot(a[0], b[0]);
    // 2^32 + 2 + 0 + (2^32 - 2)
    dst[1] = dot(a[1], b[1]);
    dst[2] = dot(a[0].xy, b[0].xy);
    dst[3] = dot(vec3(a[0].xy, 0), vec3(b[0].xy, 99));
    udst[0] = dot(vec2<u32>(4294967295u, 0u), vec2<u32>(2u, 1u));
    udst[1] = dot(vec3<u32>(1u), vec3<u32>(1u));
}
