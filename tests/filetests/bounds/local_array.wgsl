// Out of bounds in a function's array of vectors, read and written.
//! invocations 4
//! bind at i32 1 -1 2 100
//! zeros dst u32 12
//! expect dst u32 7 8 18 0 0 10 0 0 10 0 0 10
@group(0) @binding(0) var<storage, read> at: array<i32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    var t = array<vec2<u32>, 2>(vec2(1u, 2u), vec2(3u, 4u));
    t[at[id.x]] += vec2(4u, 4u);
    let v = t[at[id.x]];
    dst[3u * id.x] = v.x;
    dst[3u * id.x + 1u] = v.y;
    dst[3u * id.x + 2u] = t[0].x + t[0].y + t[1].x + t[1].y;
}
