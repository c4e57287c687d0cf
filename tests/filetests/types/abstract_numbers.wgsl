// Constants are computed with 64 bits before they become 32 bits wide.
//! workgroups 1
//! zeros n i32 2
//! expect n i32 2147483647 715827882
//! zeros f f32 2
//! expect f f32 1 0.1
@group(0) @binding(0) var<storage, read_write> n: array<i32, 2>;
@group(0) @binding(1) var<storage, read_write> f: array<f32, 2>;

@compute @workgroup_size(1)
fn main() {
    n[0] = 4294967294 / 2;
    n[1] = (2147483647 * 2) / 6;
    f[0] = 1e300 / 1e300;
    f[1] = 1.0 / 10.0;
}
