// To the nearest f16 and back. The last two lie between two halves, far from a tie.
// WGSL lets an implementation take either of the two; SwiftShader takes the one nearer to zero.
//! invocations 6
//! gpu-tolerance 0 1e-3
//! bind src f32 1 0.1 -2.5 65504 1000.3 3.14159
//! zeros dst f32 6
//! expect dst f32 1 0.099975586 -2.5 65504 1000.5 3.140625
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 6u { return; }
    dst[i] = quantizeToF16(src[i]);
}
