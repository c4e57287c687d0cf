// A uniform given too few bytes.
//! error "params"
//! error "16"
//! error "8"
//! workgroups 1
//! set params u32 1 2
//! zeros dst u32 1
@group(0) @binding(0) var<uniform> params: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> dst: array<u32>;

@compute @workgroup_size(1)
fn main() { dst[0] = params.w; }
