// select takes the second when the condition holds; with a vector of conditions, componentwise.
//! workgroups 1
//! bind src i32 1 0 5 -5
//! zeros dst i32 6
//! expect dst i32 -5 5 -1 2 -3 4
@group(0) @binding(0) var<storage, read> src: array<i32>;
@group(0) @binding(1) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(1)
fn main() {
    let yes = src[0] != 0;
    let no = src[1] != 0;
    dst[0] = select(src[2], src[3], yes);
    dst[1] = select(src[2], src[3], no);
    let v = select(vec4<i32>(-1, -2, -3, -4), vec4<i32>(1, 2, 3, 4), vec4<bool>(no, yes, no, yes));
    dst[2] = v.x;
    dst[3] = v.y;
    dst[4] = v.z;
    dst[5] = v.w;
}
