// Each workgroup writes a row of its own with a loop that a uniform bounds.
//! workgroups 4
//! split
//! set n u32 5
//! zeros dst u32 20
//! expect dst u32 0 1 2 3 4 10 11 12 13 14 20 21 22 23 24 30 31 32 33 34
@group(0) @binding(0) var<uniform> n: u32;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
    for (var k = 0u; k < n; k++) {
        dst[id.x * n + k] = 10u * id.x + k;
    }
}
