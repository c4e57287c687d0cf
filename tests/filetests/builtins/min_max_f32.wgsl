// min, then max, of finite floats.
//! invocations 4
//! bind a f32 0.5 -1 3e+38 -3e+38
//! bind b f32 0.25 1 -3e+38 1e-20
//! zeros dst f32 8
//! expect dst f32 0.25 -1 -3e+38 -3e+38 0.5 1 3e+38 1e-20
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = min(a[i], b[i]);
    dst[i + 4u] = max(a[i], b[i]);
}
