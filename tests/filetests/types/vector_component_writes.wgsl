// Writing components by name and by dynamic index, in a local and in a buffer.
//! workgroups 1
//! bind at u32 2 0 3
//! bind dst u32 1 2 3 4 5 6 7 8
//! expect dst u32 20 2 10 40 50 6 7 80
@group(0) @binding(0) var<storage, read> at: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<vec4<u32>, 2>;

@compute @workgroup_size(1)
fn main() {
    var v = dst[0];
    v[at[0]] = 10u;
    v[at[1]] = 20u;
    v.w = 40u;
    dst[0] = v;
    dst[1].x = 50u;
    dst[1][at[2]] = 80u;
}
