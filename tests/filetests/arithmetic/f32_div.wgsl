// Division: correctly rounded on the CPU, 2.5 ULP elsewhere.
//! invocations 8
//! ulps 0
//! tolerance 0 3e-7
//! bind a f32 1 -7.5 3 1e+30 2 10 -0.75 12345
//! bind b f32 4 2.5 3 10000000000 -16 7 0.3 0.1
//! zeros dst f32 8
//! expect dst f32 0.25 -3 1 1e+20 -0.125 1.4285715 -2.5 123450
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 8u { return; }
    dst[i] = a[i] / b[i];
}
