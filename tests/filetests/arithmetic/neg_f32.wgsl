// Negation flips the sign, of zero too.
//! invocations 4
//! bind a f32 0 -0 1.5 -3e+38
//! zeros dst f32 4
//! expect dst f32 -0 0 -1.5 3e+38
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = -a[i];
}
