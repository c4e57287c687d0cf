// Out of bounds in an array in a uniform.
//! invocations 4
//! bind at i32 0 1 2 -1
//! set table u32 1 2 3 4 5 6 7 8
//! zeros dst u32 4
//! expect dst u32 2 6 0 0
@group(0) @binding(0) var<storage, read> at: array<i32>;
@group(0) @binding(1) var<uniform> table: array<vec4<u32>, 2>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    dst[id.x] = table[at[id.x]].y;
}
