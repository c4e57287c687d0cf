// Out of bounds in the components of a local vector and of a vector in a buffer, read and written.
//! invocations 4
//! bind at i32 3 4 -1 1000000
//! bind v u32 1 2 3 4 1 2 3 4 1 2 3 4 1 2 3 4
//! expect v u32 1 2 3 9 1 2 3 4 1 2 3 4 1 2 3 4
//! zeros dst u32 8
//! expect dst u32 9 15 0 10 0 10 0 10
@group(0) @binding(0) var<storage, read> at: array<i32>;
@group(0) @binding(1) var<storage, read_write> v: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let k = at[id.x];
    var local = v[id.x];
    local[k] = 9u;
    v[id.x][k] = 9u;
    dst[2u * id.x] = v[id.x][k];
    dst[2u * id.x + 1u] = local.x + local.y + local.z + local.w;
}
