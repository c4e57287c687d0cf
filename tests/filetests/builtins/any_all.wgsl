// any and all of vectors and of a single bool.
//! workgroups 1
//! bind src u32 0 1 0 0
//! zeros dst u32 6
//! expect dst u32 1 0 1 1 0 0
@group(0) @binding(0) var<storage, read> src: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main() {
    let v = src != vec4(0u);
    dst[0] = u32(any(v));
    dst[1] = u32(all(v));
    dst[2] = u32(all(v.yy));
    dst[3] = u32(any(src.y == 1u));
    dst[4] = u32(all(src.x == 1u));
    dst[5] = u32(any(v.xz));
}
