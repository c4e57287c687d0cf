// A user's own immediates, given by value like a uniform.
//! workgroups 2
//! set params u32 3 f32 0.5 u32 100 7
//! zeros dst f32 4
//! expect dst f32 103.5 7 104.5 7
struct Params { n: u32, x: f32, more: vec2<u32> }
var<immediate> params: Params;
@group(0) @binding(0) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(1)
fn main(@builtin(workgroup_id) id: vec3<u32>) {
    dst[2u * id.x] = f32(params.n + params.more.x + id.x) + params.x;
    dst[2u * id.x + 1u] = f32(params.more.y);
}
