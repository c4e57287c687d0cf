// Each band writes at the opposite end of the buffer.
//! invocations 9
//! set n u32 9
//! bind src u32 0..9
//! zeros dst u32 9
//! expect dst u32 8 7 6 5 4 3 2 1 0
@group(0) @binding(0) var<uniform> n: u32;
@group(0) @binding(1) var<storage, read> src: array<u32>;
@group(0) @binding(2) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < n { dst[n - 1u - id.x] = src[id.x]; }
}
