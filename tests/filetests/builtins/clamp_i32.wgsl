// min(max(e, low), high), also where low is above high.
//! invocations 6
//! bind e i32 5 -5 0 7 -2147483648 2147483647
//! bind low i32 0 0 1 9 -1 -1
//! bind high i32 3 3 2 4 1 1
//! zeros dst i32 6
//! expect dst i32 3 0 1 4 -1 1
@group(0) @binding(0) var<storage, read> e: array<i32>;
@group(0) @binding(1) var<storage, read> low: array<i32>;
@group(0) @binding(2) var<storage, read> high: array<i32>;
@group(0) @binding(3) var<storage, read_write> dst: array<i32>;

@compute @workgroup_size(4)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if i >= 6u { return; }
    dst[i] = clamp(e[i], low[i], high[i]);
}
