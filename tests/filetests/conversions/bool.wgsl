// To and from bool: anything but zero is true, -0 is false.
//! invocations 4
//! bind f f32 0 -0 0.25 -3
//! bind n i32 0 1 -1 256
//! zeros dst u32 4
//! expect dst u32 0 10 15 15
@group(0) @binding(0) var<storage, read> f: array<f32>;
@group(0) @binding(1) var<storage, read> n: array<i32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    let x = bool(f[i]);
    let y = bool(n[i]);
    dst[i] = u32(x) | u32(y) << 1u | u32(f32(x)) << 2u | u32(i32(bool(u32(y)))) << 3u;
}
