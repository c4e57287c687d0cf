// In place on the own element: bands.
//! invocations 20
//! split
//! set a f32 2
//! bind x f32 0..20
//! bind y f32 20*1
//! expect y f32 1 3 5 7 9 11 13 15 17 19 21 23 25 27 29 31 33 35 37 39
@group(0) @binding(0) var<uniform> a: f32;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(2)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&y) { y[id.x] = a * x[id.x] + y[id.x]; }
}
