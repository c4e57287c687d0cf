// Indices that go from lane to lane by a step so large that they wrap: every other one is inside.
//! workgroups 1
//! bind src u32 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20
//! bind dst u32 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
//! expect dst u32 0 0 0 15 0 13 0 11 0 9 0 7 0 5 0 3 0 1 0 0
//! bind got u32 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9
//! expect got u32 18 0 16 0 14 0 12 0 10 0 8 0 6 0 4 0
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;
@group(0) @binding(2) var<storage, read_write> got: array<u32>;

@compute @workgroup_size(16)
fn main(@builtin(local_invocation_index) l: u32) {
    dst[l * 2147483647u + 17u] = l + 1u;
    got[l] = src[l * 2147483647u + 17u];
}
