// To the nearest f32, ties to even.
//! invocations 8
//! ulps 0
//! tolerance 0 1.2e-7
//! bind src u32 0 1 16777217 16777219 4294967295 2147483648 4294967040 3000000000
//! zeros dst f32 8
//! expect dst f32 0 1 16777216 16777220 4294967296 2147483648 4294967040 3000000000
@group(0) @binding(0) var<storage, read> src: array<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = f32(src[i]);
}
