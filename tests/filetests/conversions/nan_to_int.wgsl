// NaN becomes 0, infinities saturate.
//! invocations 4
//! only cpu: WGSL makes these indeterminate
//! bind src f32 nan inf -inf 0xffc00001
//! zeros dst i32 8
//! expect dst i32 0 2147483520 -2147483648 0 0 -256 0 0
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = i32(src[i]);
    dst[i + 4u] = bitcast<i32>(u32(src[i]));
}
