// Toward zero, and saturating at the last values that an f32 can hold.
//! invocations 10
//! bind src f32 0 1.9 -1.9 2147483520 2147483648 1e+20 -2147483648 -1e+20 -0.5 16777216
//! zeros dst i32 10
//! expect dst i32 0 1 -1 2147483520 2147483520 2147483520 -2147483648 -2147483648 0 16777216
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 10u { return; }
    dst[i] = i32(src[i]);
}
