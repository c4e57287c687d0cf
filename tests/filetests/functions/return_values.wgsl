// Functions that return vectors, matrices, structs and bools, used in expressions.
//! invocations 3
//! zeros dst f32 6
//! expect dst f32 0 1 5 2 10 3
@group(0) @binding(0) var<storage, read_write> dst: array<f32>;
struct Pair { sum: f32, odd: bool }

fn scaled(x: f32) -> vec2<f32> { return vec2(1.0, 2.0) * x; }
fn spread(v: vec2<f32>) -> mat2x2<f32> { return mat2x2(v, 2.0 * v); }
fn pair(x: u32) -> Pair { return Pair(f32(x), x % 2u == 1u); }

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let m = spread(scaled(f32(id.x)));
    // (x + 4 x)
    dst[2u * id.x] = m[0].x + m[1].y;
    let p = pair(id.x);
    dst[2u * id.x + 1u] = p.sum + select(1.0, 1.0, p.odd);
}
