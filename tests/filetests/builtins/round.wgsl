// Halves go to the even neighbour.
//! invocations 12
//! bind src f32 0.5 1.5 2.5 -0.5 -1.5 -2.5 0.49999997 -0.3 0.7 8388609 -1e+20 3
//! zeros dst f32 12
//! expect dst f32 0 2 2 -0 -2 -2 0 -0 1 8388609 -1e+20 3
@group(0) @binding(0) var<storage, read> src: array<f32>;
@group(0) @binding(1) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 12u { return; }
    dst[i] = round(src[i]);
}
