// min(max(e, low), high), also where low is above high.
//! invocations 4
//! bind e u32 5 0 4294967295 7
//! bind low u32 0 1 2 9
//! bind high u32 3 2 4000000000 4
//! zeros dst u32 4
//! expect dst u32 3 1 4000000000 4
@group(0) @binding(0) var<storage, read> e: array<u32>;
@group(0) @binding(1) var<storage, read> low: array<u32>;
@group(0) @binding(2) var<storage, read> high: array<u32>;
@group(0) @binding(3) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 4u { return; }
    dst[i] = clamp(e[i], low[i], high[i]);
}
