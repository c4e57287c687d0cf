// x - y * trunc(x / y): the remainder has the sign of the dividend.
//! invocations 8
//! tolerance 0 1e-6
//! bind a f32 1 5.5 -5.5 5.5 -5.5 7 0.5 1000000
//! bind b f32 1 2 2 -2 -2 0.25 2 3
//! zeros dst f32 8
//! expect dst f32 0 1.5 -1.5 1.5 -1.5 0 0.5 1
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = a[i] % b[i];
}
