// Toward zero, and saturating at the last values that an f32 can hold.
//! invocations 10
//! bind src f32 0 1.9 -1.9 4294967040 4294967296 1e+20 2147483648 -1e+20 -0.5 3000000000
//! zeros dst u32 10
//! expect dst u32 0 1 0 4294967040 4294967040 4294967040 2147483648 0 0 3000000000
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 10u { return; }
    dst[i] = u32(src[i]);
}
