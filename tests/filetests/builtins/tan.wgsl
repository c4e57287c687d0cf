// Away from the poles.
//! invocations 7
//! ulps 4
//! tolerance 2e-3 2e-3
//! bind src f32 0 0.5 -0.5 1 1.25 -1.25 3
//! zeros dst f32 7
//! expect dst f32 0 0.5463025 -0.5463025 1.5574077 3.0095696 -3.0095696 -0.14254655
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 7u { return; }
    dst[i] = tan(src[i]);
}
