// Into the range, ends included.
//! invocations 4
//! bind e f32 5 -5 0.5 1
//! bind low f32 0 -1 0.25 1
//! bind high f32 3 3 0.75 1
//! zeros dst f32 4
//! expect dst f32 3 -1 0.5 1
@group(0) @binding(0) var<storage, read> e: array<f32>;
@group(0) @binding(1) var<storage, read> low: array<f32>;
@group(0) @binding(2) var<storage, read> high: array<f32>;
@group(0) @binding(3) var<storage, read_write> dst: array<f32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = clamp(e[i], low[i], high[i]);
}
