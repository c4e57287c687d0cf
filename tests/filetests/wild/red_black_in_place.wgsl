// Half a sweep of red-black relaxation in place: red cells read black ones only.
//! invocations 6,6
//! bind field f32 2.0 4.0 10.0 3.0 1.0 4.0 14.0 7.0 4.0 10.0 4.0 6.0 9.0 1.0 10.0 13.0 10.0 7.0 10.0 8.0 4.0 6.0 1.0 2.0 3.0 11.0 11.0 8.0 3.0 1.0 3.0 6.0 15.0 6.0 6.0 8.0
//! expect field f32 2.0 4.0 10.0 3.0 1.0 4.0 14.0 5.75 4.0 6.0 4.0 6.0 9.0 1.0 5.5 13.0 6.25 7.0 10.0 6.5 4.0 6.5 1.0 2.0 3.0 11.0 9.5 8.0 4.0 1.0 3.0 6.0 15.0 6.0 6.0 8.0
@group(0) @binding(0) var<storage, read_write> field: array<f32>;
const N = 6u;

@compute @workgroup_size(3, 3)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let inner = all(id.xy > vec2(0u)) && all(id.xy < vec2(N - 1u));
    if !inner || (id.x + id.y) % 2u == 1u { return; }
    let i = id.y * N + id.x;
    field[i] = 0.25 * (field[i - 1u] + field[i + 1u] + field[i - N] + field[i + N]);
}
