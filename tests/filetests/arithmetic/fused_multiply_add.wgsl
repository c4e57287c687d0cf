// A product that feeds only an addition is fused, so that one rounding is left:
// (1 + e)(1 + e) - (1 + 2e) is e squared, not zero.
//! invocations 2
//! only cpu: a GPU may round twice
//! bind a f32 1.0002441 3
//! bind c f32 -1.0004883 -9
//! zeros dst f32 2
//! expect dst f32 5.9604645e-08 0
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> c: array<f32>;
@group(0) @binding(2) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 2u { return; }
    dst[i] = a[i] * a[i] + c[i];
}
