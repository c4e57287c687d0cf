// To the nearest f32, ties to even.
//! invocations 9
//! ulps 0
//! tolerance 0 1.2e-7
//! bind src i32 0 1 -1 16777217 16777219 2147483647 -2147483648 -16777217 2147483520
//! zeros dst f32 9
//! expect dst f32 0 1 -1 16777216 16777220 2147483648 -2147483648 -16777216 2147483520
@group(0) @binding(0) var<storage, read> src: array<i32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 9u { return; }
    dst[i] = f32(src[i]);
}
